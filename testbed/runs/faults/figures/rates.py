"""Jobs that ended per second before, during and after each fault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from testbed.record.model import JobRow
from testbed.runs.faults.figures.around import Phase, Rates
from testbed.runs.faults.figures.model import SECOND, MeasuredFault

# The health before a fault that is compared with what follows, and the least that says anything.
BEFORE_US = 15 * SECOND
LEAST_US = 2 * SECOND
# Back is a stack that ends so many of the jobs that it did before, over so long.
BACK = 0.95
BACK_US = 5 * SECOND

_Times = NDArray[np.int64]


def phases(faults: Sequence[MeasuredFault], begun_us: int) -> list[tuple[Phase, Phase, Phase]]:
    """Return what lies before, during and after each fault, on the clock of the history."""
    healed = [begun_us, *(each.ended_us for each in faults)]
    return [
        (
            Phase("before", max(since, fault.begun_us - BEFORE_US), fault.begun_us),
            Phase("during", fault.begun_us, fault.ended_us),
            Phase("after", fault.ended_us, fault.until_us),
        )
        for since, fault in zip(healed, faults, strict=False)
    ]


def rates(
    faults: Sequence[MeasuredFault], jobs: Iterable[JobRow], offset: int, begun_us: int
) -> list[Rates]:
    """Return the rates around each fault, of jobs whose times can be."""
    ended = sorted(each.finish_us + offset for each in jobs if each.finish_us is not None)
    times = np.array(ended, dtype=np.int64)
    return [_rates(times, *each) for each in phases(faults, begun_us)]


def _rates(times: _Times, before: Phase, during: Phase, after: Phase) -> Rates:
    usual = _rate(times, before)
    return Rates(usual, _rate(times, during), _rate(times, after), _back(times, usual, after))


def _rate(times: _Times, phase: Phase) -> float | None:
    lasts = phase.ended_us - phase.begun_us
    if lasts < LEAST_US:
        return None
    first, last = np.searchsorted(times, (phase.begun_us, phase.ended_us))
    return float(last - first) * SECOND / lasts


def _back(times: _Times, usual: float | None, after: Phase) -> float | None:
    """Return the seconds until a stack ends as many jobs as before; ``None`` if it did not."""
    if usual is None:
        return None
    edges = range(after.begun_us, after.ended_us - BACK_US + 1, SECOND // 2)
    for begin in edges:
        first, last = np.searchsorted(times, (begin, begin + BACK_US))
        if (last - first) * SECOND >= BACK * usual * BACK_US:
            return (begin - after.begun_us) / SECOND
    return None
