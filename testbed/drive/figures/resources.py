"""CPU and memory out of samples taken every fraction of a second."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from testbed.record.model import ResourceRow, Window


def cpu_seconds(rows: Iterable[ResourceRow], role: str, window: Window) -> float | None:
    """Return the CPU seconds that all processes of ``role`` used within the window.

    The counters are read between the samples by linear interpolation; before the first and after
    the last sample of a process they stand still. ``None`` if there are no samples of the role.
    """
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row.role == role:
            series[row.process].append((row.unix, row.cpu_seconds))
    if not series:
        return None
    return sum(
        interpolate(points, window.to_unix) - interpolate(points, window.from_unix)
        for points in map(sorted, series.values())
    )


def interpolate(points: Sequence[tuple[float, float]], at: float) -> float:
    """Return the value at ``at`` of a line through ``points`` in ascending order, flat outside."""
    right = bisect_left(points, (at,))
    if right == 0:
        return points[0][1]
    if right == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[right - 1], points[right]
    return y0 + (y1 - y0) * (at - x0) / (x1 - x0) if x1 > x0 else y1


def peak_rss(rows: Iterable[ResourceRow], role: str) -> int | None:
    """Return the largest sum of resident bytes over the processes of a role at one moment."""
    totals: dict[float, int] = defaultdict(int)
    for row in rows:
        if row.role == role:
            totals[row.unix] += row.rss_bytes
    return max(totals.values(), default=None)


def longest_gap(rows: Iterable[ResourceRow], window: Window) -> float:
    """Return the longest time in the window without a sample, in seconds."""
    times = sorted({row.unix for row in rows if window.from_unix < row.unix < window.to_unix})
    edges = [window.from_unix, *times, window.to_unix]
    return max(after - before for before, after in pairwise(edges))
