"""Where a trial begins to be measured: after the nominal warm-up, or later if the data say so.

Examined are the answered calls of each second and their latency: a closed loop that warms up
answers more and more calls, an open loop answers as many as are due, but faster and faster. The
later of the two cuts holds for every figure of the trial (docs/decisions/0008).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from testbed import stats as statistics
from testbed.record.model import CLOSED, LoadRecording, Window

SHORTEST: Final = 18
"""A shorter drive cannot show a trend above its noise, in seconds after the nominal warm-up."""

FAR: Final = 3.0
LEAST_SPREAD: Final = 0.01
"""How many standard deviations are far off, and the least, relative, that one is taken for."""

NOMINAL = "nominal"
FOUND = "found"
ANSWERED = "the answered calls per second"
LATENCY = "the latency of calls"


@dataclass(frozen=True)
class Cut:
    """What of a drive is measured and why.

    ``window`` is what is measured and ``warmup`` the seconds of the drive before it. ``kind`` is
    ``nominal`` or ``found``, ``why`` says it in words. ``problem`` is empty unless no steady state
    begins early enough; the cut is the nominal one then, and the trial void.
    """

    window: Window
    warmup: float
    kind: str
    why: str
    problem: str = ""


def cut(load: LoadRecording) -> Cut:
    """Find where the measured part of a drive begins.

    Never before the nominal warm-up, and at most half of what was driven after it later. With load
    steps the load itself changes, and a short drive shows nothing: then the nominal cut stands.
    """
    nominal = load.after_nominal
    if len(load.steps) > 1:
        return _nominal(load, "the load has steps, so no steady state is sought")
    if nominal.seconds < SHORTEST:
        return _nominal(load, f"{nominal.seconds:.0f} s after it are too few to search further")
    ends = {name: statistics.warmup_end(series) for name, series in _series(load, nominal).items()}
    unsteady = [name for name, end in ends.items() if end is None]
    if unsteady:
        return _nominal(load, "no steady state begins after it", _still_warming(unsteady, nominal))
    latest = max((end or 0 for end in ends.values()), default=0)
    if not latest:
        return _nominal(load, "what follows it is steady")
    begin = Window(nominal.from_unix + latest, nominal.to_unix)
    changed = " and ".join(name for name, end in ends.items() if end)
    return Cut(begin, begin.from_unix - load.window.from_unix, FOUND, f"{changed} changed until it")


def _nominal(load: LoadRecording, why: str, problem: str = "") -> Cut:
    window = load.after_nominal
    return Cut(window, window.from_unix - load.window.from_unix, NOMINAL, why, problem)


def _still_warming(names: Sequence[str], window: Window) -> str:
    return (
        f"still warming, no steady state: {' and '.join(names)} changing in the "
        f"middle of the {window.seconds:.0f} s measured"
    )


def _series(load: LoadRecording, window: Window) -> Mapping[str, Sequence[float]]:
    """Return what should be steady, relative to its own level.

    How many calls an open loop answers follows from its rate, not from how warm the stack is.
    """
    rows = {row.unix: float(row.answered + row.expected) for row in load.in_window(window)}
    answered = [rows.get(unix, 0.0) for unix in window.whole_seconds()]
    level = float(np.median(answered))
    if level == 0:
        return {}
    series = {LATENCY: list(_log_latencies(load, window))}
    if load.loop == CLOSED:
        series[ANSWERED] = [each / level for each in answered]
    return {name: _without_hiccups(values) for name, values in series.items()}


def _without_hiccups(values: Sequence[float]) -> list[float]:
    """Move what lies far off the median to where it is no longer far.

    A stall of a second or two is something to measure. Taken as it is it would look like a change
    of level, and be cut off, or make the trial void.
    """
    middle = np.median(values)
    spread = 1.4826 * float(np.median(np.abs(np.asarray(values) - middle)))
    reach = FAR * max(spread, LEAST_SPREAD)
    clipped: list[float] = np.clip(values, middle - reach, middle + reach).tolist()
    return clipped


def _log_latencies(load: LoadRecording, window: Window) -> Iterator[float]:
    """Give the mean logarithm of the latencies of each second; differences of 0.01 are 1 %.

    The logarithm keeps one slow call from being the figure of its second. A second without an
    answer has none and takes that of the second before, or the first one that there is.
    """
    means = [_mean_log(load, second) for second in window.whole_seconds()]
    last = next(mean for mean in means if mean is not None)
    for mean in means:
        last = last if mean is None else mean
        yield last


def _mean_log(load: LoadRecording, second: int) -> float | None:
    total, count = 0.0, 0
    for call in load.calls.values():
        interval = call.intervals.get(load.latency, {}).get(second)
        if interval is not None and interval.total:
            total += float(np.log(np.maximum(interval.values_us(), 1)).sum())
            count += interval.total
    return total / count if count and math.isfinite(total) else None
