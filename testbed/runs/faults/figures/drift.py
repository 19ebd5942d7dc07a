"""What grows over a long drive: memory, open files and tasks of each process.

A process that was started again begins anew, so only the scrapes since its latest start count.
They are cut into four equal parts of time: what settles is flat between the second and the last,
what leaks is not. The slope is that of Theil and Sen, the median of the slopes between pairs of
scrapes, which single peaks do not move (Sen, Journal of the American Statistical Association 63,
1968).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from testbed.record.series import MetricSeries, ProcessSeries

# What is compared, by the name that a reader sees: metric and unit.
GAUGES: Mapping[str, tuple[str, str]] = {
    "memory": ("process_resident_memory_bytes", "bytes"),
    "open files": ("process_open_fds", "files"),
    "tasks": ("taskqueue_tasks", "tasks"),
}
_START = "process_start_time_seconds"
# Pairs of so many scrapes are enough for a slope, and their number grows with its square.
_MOST_POINTS = 200
_LEAST_POINTS = 12
_HOUR = 3600.0


@dataclass(frozen=True)
class Drift:
    """One gauge of one process over ``seconds`` since its latest start.

    ``second`` and ``last`` are the medians of the second and the last quarter of that time,
    ``per_hour`` the slope. All are in ``unit``.
    """

    process: str
    gauge: str
    unit: str
    seconds: float
    second: float
    last: float
    per_hour: float


def drifts(metrics: MetricSeries) -> tuple[Drift, ...]:
    """Return how each gauge of each process went; one with too few scrapes is left out."""
    found = []
    for process, series in metrics.by_process.items():
        for gauge, (name, unit) in GAUGES.items():
            points = _since_start(series, name)
            if len(points) >= _LEAST_POINTS:
                found.append(_drift(process, gauge, unit, points))
    return tuple(found)


def _since_start(series: ProcessSeries, name: str) -> list[tuple[float, float]]:
    """Return time and value at each scrape since the latest start of a process."""
    if name not in series.series:
        return []
    starts = series.series.get(_START, ())
    first = max((each.indices[-1] for each in starts), default=0)
    gauges = series.series[name]
    return [
        (series.times[index], sum(each.value(index) for each in gauges))
        for index in range(first, len(series.times))
    ]


def _drift(process: str, gauge: str, unit: str, points: Sequence[tuple[float, float]]) -> Drift:
    begun, seconds = points[0][0], points[-1][0] - points[0][0]
    quarters: list[list[float]] = [[], [], [], []]
    for time, value in points:
        quarters[min(3, int(4 * (time - begun) / seconds))].append(value)
    step = -(-len(points) // _MOST_POINTS)
    slopes = [
        (after[1] - before[1]) / (after[0] - before[0])
        for before, after in combinations(points[::step], 2)
    ]
    return Drift(
        process,
        gauge,
        unit,
        seconds,
        statistics.median(quarters[1] or quarters[0]),
        statistics.median(quarters[3]),
        statistics.median(slopes) * _HOUR,
    )
