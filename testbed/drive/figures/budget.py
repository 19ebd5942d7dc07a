"""What each process used of its budget in a window, and how its CPU limit held it back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testbed.drive.figures.resources import interpolate
from testbed.record.calls import Window
from testbed.record.model import STACK, ResourceRow, TrialRecording

# Beyond this share of the window, latencies are the limit's as much as the design's.
THROTTLED_LIMIT = 0.05


@dataclass(frozen=True)
class ProcessUse:
    """One process in a window. Limits are ``None`` where it has none.

    ``throttled_share`` is time in which it was throttled per time of the window; that time adds up
    over cores, so it can exceed 1. ``throttled_periods_share`` is the part of the periods of its
    limit that were cut short. Both are ``None`` where nobody kept account of them.
    """

    process: str
    cpu_cores: float
    memory_peak_bytes: int | None
    cpu_limit_cores: float | None = None
    memory_limit_bytes: float | None = None
    throttled_share: float | None = None
    throttled_periods_share: float | None = None

    @property
    def cpu_share(self) -> float | None:
        """CPU used as a share of its limit."""
        return self.cpu_cores / self.cpu_limit_cores if self.cpu_limit_cores else None

    @property
    def memory_share(self) -> float | None:
        """The most memory held at one moment as a share of its limit."""
        if self.memory_peak_bytes is None or not self.memory_limit_bytes:
            return None
        return self.memory_peak_bytes / self.memory_limit_bytes

    @property
    def held_back(self) -> bool:
        """Whether it was throttled so much that its latencies have to be read with that in mind."""
        return (self.throttled_share or 0.0) > THROTTLED_LIMIT


def uses(trial: TrialRecording, window: Window) -> tuple[ProcessUse, ...]:
    """Return the use of each process of the stack, in the order in which they were sampled."""
    samples: dict[str, list[ResourceRow]] = defaultdict(list)
    for row in trial.resources:
        if row.role == STACK:
            samples[row.process].append(row)
    return tuple(_use(trial, process, rows, window) for process, rows in samples.items())


def _use(
    trial: TrialRecording, process: str, rows: Sequence[ResourceRow], window: Window
) -> ProcessUse:
    limits = trial.header.budget.get(process, {})
    cpu = _rise(rows, lambda row: row.cpu_seconds, window) or 0.0
    throttled = _rise(rows, lambda row: row.throttled_seconds, window)
    periods = _rise(rows, lambda row: row.periods, window)
    cut_short = _rise(rows, lambda row: row.throttled_periods, window)
    inside = [row.rss_bytes for row in rows if window.from_unix <= row.unix <= window.to_unix]
    return ProcessUse(
        process,
        cpu / window.seconds,
        max(inside, default=None),
        limits.get("cpus"),
        limits.get("memory_bytes"),
        None if throttled is None else throttled / window.seconds,
        cut_short / periods if cut_short is not None and periods else None,
    )


def _rise(
    rows: Sequence[ResourceRow], of: Callable[[ResourceRow], float | None], window: Window
) -> float | None:
    """Return how much a counter rose in the window, ``None`` if it was never read."""
    points = sorted((row.unix, value) for row in rows if (value := of(row)) is not None)
    if not points:
        return None
    return interpolate(points, window.to_unix) - interpolate(points, window.from_unix)
