"""The times of calls, by whole second, so that any window of a drive can be analysed later."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

LOWEST_US, HIGHEST_US, DIGITS = 1, 60_000_000, 3
SERVICE = "service"
DELAY = "delay"
RESPONSE = "response"
KINDS = (SERVICE, DELAY, RESPONSE)


@dataclass(frozen=True)
class Window:
    """A stretch of time. Calls are recorded by whole second, so most windows are :meth:`whole`."""

    from_unix: float
    to_unix: float

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.to_unix - self.from_unix

    def holds_us(self, time_us: int | None) -> bool:
        """Whether a time in microseconds lies in the window; ``None`` does not."""
        return time_us is not None and self.from_unix * 1e6 <= time_us < self.to_unix * 1e6

    def whole_seconds(self) -> range:
        """Return the starts of the whole seconds that lie wholly in the window."""
        return range(math.ceil(self.from_unix), math.floor(self.to_unix))

    def whole(self) -> Window:
        """Return the window without the broken seconds at its ends; it may be empty."""
        seconds = self.whole_seconds()
        return Window(float(seconds.start), float(max(seconds.start, seconds.stop)))


@dataclass(frozen=True, eq=False, slots=True)
class IntervalHistogram:
    """The calls that ended in one second, as the filled places of an HDR histogram of ours.

    ``places`` are indices of its buckets, ``counts`` the calls in each. A whole histogram for each
    second would fill memory with zeros.
    """

    places: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """Number of calls."""
        return int(self.counts.sum())

    def values_us(self) -> NDArray[np.int64]:
        """Return the time of each call, in microseconds to three digits, in rising order."""
        values = [_BLANK.get_value_from_index(place) for place in self.places.tolist()]
        return np.repeat(np.array(values, dtype=np.int64), self.counts)

    @classmethod
    def decode(cls, encoded: str) -> IntervalHistogram:
        """Read an encoded HDR histogram. Raises ``ValueError`` if it is damaged or not of ours."""
        try:
            histogram = HdrHistogram.decode(encoded)
        except Exception as error:  # the library has errors of its own, without a common base
            raise ValueError(f"no HDR histogram: {error or type(error).__name__}") from error
        if (layout := _layout(histogram)) != _layout(_BLANK):
            raise ValueError(f"a histogram of {layout}, not of {_layout(_BLANK)}")
        return cls.of(histogram)

    @classmethod
    def of(cls, histogram: HdrHistogram) -> IntervalHistogram:
        """Take over the counts of a histogram made by :func:`blank`."""
        counts = _counts(histogram)
        places = np.flatnonzero(counts)
        return cls(places, counts[places])


def blank() -> HdrHistogram:
    """Return an empty histogram as all recordings use it: microseconds to three digits."""
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)


def merge(intervals: Iterable[IntervalHistogram]) -> HdrHistogram:
    """Return one histogram of all the calls."""
    merged = blank()
    counts = _counts(merged)
    for each in intervals:
        counts[each.places] += each.counts
    if (filled := np.flatnonzero(counts)).size:
        merged.set_internal_tacking_values(int(filled[0]), int(filled[-1]), int(counts.sum()))
    return merged


def mean_us(histogram: HdrHistogram) -> float:
    """Return the mean of a histogram made here, calls in the middle of their bucket; 0 if empty.

    What ``HdrHistogram.get_mean_value`` returns, which steps through the empty buckets too.
    """
    counts = _counts(histogram)
    filled = np.flatnonzero(counts)
    if not filled.size:
        return 0.0
    total = 0
    for place, count in zip(filled.tolist(), counts[filled].tolist(), strict=True):
        low = histogram.get_value_from_index(place)
        total += count * (low + (histogram.get_highest_equivalent_value(low) - low + 1) // 2)
    return float(total) / int(counts.sum())


def _layout(histogram: HdrHistogram) -> tuple[int, int, int]:
    return (
        histogram.lowest_trackable_value,
        histogram.highest_trackable_value,
        histogram.significant_figures,
    )


def _counts(histogram: HdrHistogram) -> NDArray[np.int64]:
    """Return the counts of a histogram, not a copy of them."""
    return np.frombuffer(histogram.counts, dtype=np.int64)


_BLANK = blank()


@dataclass(frozen=True, eq=False)
class CallSeries:
    """All calls of one name in a drive.

    ``intervals`` has, for each kind of time (``service``, and in an open loop ``delay`` and
    ``response``), the interval of each second in which calls ended with an answer.
    ``error_kinds`` counts the errors of the whole drive.
    """

    name: str
    intervals: Mapping[str, Mapping[int, IntervalHistogram]]
    error_kinds: Mapping[str, int] = field(default_factory=dict)

    def histogram(self, kind: str, window: Window) -> HdrHistogram:
        """Return the times of the calls that ended in the whole seconds of ``window``, merged.

        The histogram is empty if there are none, also if the kind was not recorded at all.
        """
        return merge(interval for _, interval in self.each_second(kind, window))

    def each_second(self, kind: str, window: Window) -> Iterator[tuple[int, IntervalHistogram]]:
        """Give the intervals in ``window`` with their seconds, in order; some may have none."""
        intervals = self.intervals.get(kind, {})
        for second in window.whole_seconds():
            if (interval := intervals.get(second)) is not None:
                yield second, interval

    def counts(self, window: Window) -> dict[int, int]:
        """Return the number of answered calls in each whole second of ``window``, also where 0."""
        found = {second: each.total for second, each in self.each_second(SERVICE, window)}
        return {second: found.get(second, 0) for second in window.whole_seconds()}

    def answered(self, window: Window) -> int:
        """Return the number of calls that were answered in the whole seconds of ``window``."""
        return sum(self.counts(window).values())
