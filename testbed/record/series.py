"""Time series of the metrics of several processes, and what they say of a window.

Counters are read between scrapes by linear interpolation; before the first scrape and after the
last one they stand still. A counter that falls was set back to zero by a restart and goes on from
there. A series that is not there yet stands at zero.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from testbed.record.buckets import BucketIncrease
from testbed.record.calls import Window

BUCKET_LABEL = "le"


@dataclass(frozen=True)
class Series:
    """One series of one process: its values at those scrapes at which they had changed.

    ``indices`` are the numbers of these scrapes, in rising order.
    """

    labels: Mapping[str, str]
    indices: Sequence[int]
    values: Sequence[float]

    def value(self, index: int) -> float:
        """Return the value at scrape ``index``."""
        place = bisect_right(self.indices, index) - 1
        return self.values[place] if place >= 0 else 0.0

    def risen(self, index: int) -> float:
        """Return how much a counter has counted up to scrape ``index``, restarts included."""
        place = bisect_right(self.indices, index) - 1
        return self._risen[place] if place >= 0 else 0.0

    @cached_property
    def _risen(self) -> Sequence[float]:
        total = self.values[0]
        risen = [total]
        for before, after in pairwise(self.values):
            total += after - before if after >= before else after
            risen.append(total)
        return risen


@dataclass(frozen=True)
class Stretch:
    """One metric over a window, all series added up.

    ``increase`` is for counters. ``last``, ``mean`` and ``max`` are for gauges, of the ``scrapes``
    inside of the window; ``None`` if there were none.
    """

    increase: float
    last: float | None
    mean: float | None
    max: float | None
    scrapes: int


@dataclass(frozen=True)
class ProcessSeries:
    """All series of one process. ``times`` are those of the scrapes that were answered.

    ``took`` has the seconds of each of them, ``failures`` time and reason of those that were not.
    """

    times: Sequence[float]
    took: Sequence[float]
    failures: Sequence[tuple[float, str]]
    series: Mapping[str, Sequence[Series]]

    def matching(self, name: str, labels: Mapping[str, str]) -> list[Series]:
        """Return the series of a metric that have these labels and perhaps others."""
        return [
            each
            for each in self.series.get(name, ())
            if all(each.labels.get(key) == value for key, value in labels.items())
        ]

    def increase(self, series: Iterable[Series], window: Window) -> float:
        """Return how much counters rose in the window, added up."""
        if not self.times:
            return 0.0
        begin, end = self._place(window.from_unix), self._place(window.to_unix)
        return sum(_at(each, end) - _at(each, begin) for each in series)

    def values(self, series: Sequence[Series], window: Window) -> list[tuple[float, float]]:
        """Return time and sum of gauges at each scrape in the window."""
        first = bisect_left(self.times, window.from_unix)
        after = bisect_right(self.times, window.to_unix)
        return [
            (self.times[index], sum(each.value(index) for each in series))
            for index in range(first, after)
        ]

    def _place(self, unix: float) -> tuple[int, float]:
        """Return the scrape before a time, and how far from it to the next one the time is."""
        right = bisect_right(self.times, unix)
        if right == 0:
            return 0, 0.0
        if right == len(self.times):
            return right - 1, 0.0
        before, after = self.times[right - 1], self.times[right]
        return right - 1, (unix - before) / (after - before)


@dataclass(frozen=True)
class MetricSeries:
    """The metrics of all processes of a stack over a drive.

    ``scraper_cpu_seconds`` is what reading them cost the testbed, ``None`` if that is not known.
    Wherever a process is named, ``None`` means all of them together.
    """

    by_process: Mapping[str, ProcessSeries] = field(default_factory=dict)
    scraper_cpu_seconds: float | None = None

    @property
    def processes(self) -> tuple[str, ...]:
        """Names of the processes that were asked."""
        return tuple(self.by_process)

    def __bool__(self) -> bool:
        """Whether any process ever answered."""
        return any(each.times for each in self.by_process.values())

    def unanswered(self, window: Window) -> dict[str, int]:
        """Return how often each process that did not always answer did not, in the window."""
        missed = {
            name: sum(window.from_unix <= unix <= window.to_unix for unix, _ in each.failures)
            for name, each in self.by_process.items()
        }
        return {name: count for name, count in missed.items() if count}

    def label_sets(self, process: str | None, name: str) -> list[Mapping[str, str]]:
        """Return the labels of each series of a metric, every set once."""
        found = {
            tuple(sorted(series.labels.items())): series.labels
            for each in self._of(process)
            for series in each.series.get(name, ())
        }
        return list(found.values())

    def window(
        self, process: str | None, name: str, labels: Mapping[str, str], window: Window
    ) -> Stretch | None:
        """Return what a counter or a gauge did in the window; ``None`` if there is none."""
        found = [
            (each, series) for each in self._of(process) if (series := each.matching(name, labels))
        ]
        if not found:
            return None
        increase = sum(each.increase(series, window) for each, series in found)
        totals = _added([each.values(series, window) for each, series in found])
        if not totals:
            return Stretch(increase, None, None, None, 0)
        mean = sum(totals) / len(totals)
        return Stretch(increase, totals[-1], mean, max(totals), len(totals))

    def increase(
        self, process: str | None, name: str, labels: Mapping[str, str], window: Window
    ) -> float:
        """Return how much a counter rose in the window, 0 if there is none."""
        return sum(each.increase(each.matching(name, labels), window) for each in self._of(process))

    def histogram(
        self, process: str | None, name: str, labels: Mapping[str, str], window: Window
    ) -> BucketIncrease | None:
        """Return what a histogram counted in the window; ``None`` if there is none."""
        below: dict[float, float] = {}
        for each in self._of(process):
            for series in each.matching(f"{name}_bucket", labels):
                bound = float(series.labels[BUCKET_LABEL])
                below[bound] = below.get(bound, 0.0) + each.increase([series], window)
        if not below:
            return None
        bounds = tuple(sorted(below))
        edges = [0.0, *(below[bound] for bound in bounds)]
        return BucketIncrease(
            bounds,
            tuple(max(0.0, after - before) for before, after in pairwise(edges)),
            self.increase(process, f"{name}_sum", labels, window),
            self.increase(process, f"{name}_count", labels, window),
        )

    def _of(self, process: str | None) -> Iterable[ProcessSeries]:
        if process is None:
            return self.by_process.values()
        return [self.by_process[process]] if process in self.by_process else []


def _at(series: Series, place: tuple[int, float]) -> float:
    index, share = place
    before = series.risen(index)
    return before + (series.risen(index + 1) - before) * share if share else before


def _added(columns: Sequence[Sequence[tuple[float, float]]]) -> list[float]:
    """Add gauges of several processes up, at the scrapes of the one that has fewest of them.

    Processes are scraped one after another, so values that lie next to each other are taken for
    simultaneous.
    """
    fewest = min(columns, key=len)
    return [sum(_nearest(column, unix) for column in columns) for unix, _ in fewest]


def _nearest(column: Sequence[tuple[float, float]], unix: float) -> float:
    right = bisect_left(column, (unix,))
    around = column[max(0, right - 1) : right + 1]
    return min(around, key=lambda each: abs(each[0] - unix))[1]
