"""What went on inside of the processes of a stack, in a window of a trial.

:func:`rows` gives every figure as a tidy row, :func:`costs` the CPU time of a finished job by
process, and :func:`breakdown` where the time of a request goes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from common.topology import role_of
from testbed.drive.figures import budget, hops, served
from testbed.drive.figures.breakdown import Breakdown, MethodBreakdown, Segment, breakdown
from testbed.drive.figures.budget import ProcessUse
from testbed.drive.figures.resources import interpolate
from testbed.drive.figures.trial import finished_in
from testbed.record.calls import Window
from testbed.record.model import STACK, TrialRecording
from testbed.record.series import MetricSeries

__all__ = [
    "ALL",
    "Breakdown",
    "Cost",
    "InsideRow",
    "MethodBreakdown",
    "Segment",
    "breakdown",
    "costs",
    "rows",
]

MS = 1000.0
MIB = 1 << 20
ALL = "all"

# Name in our files, metric of the processes, which figure of the window.
_GAUGES = (
    ("queue_depth_mean", "taskqueue_queue_depth", "mean"),
    ("queue_depth_max", "taskqueue_queue_depth", "max"),
    ("queue_leased_mean", "taskqueue_queue_leased", "mean"),
    ("oldest_age_max_s", "taskqueue_queue_oldest_age_seconds", "max"),
    ("workers_alive_mean", "taskqueue_workers_alive", "mean"),
    ("slots_mean", "taskqueue_slots", "mean"),
    ("slots_busy_mean", "taskqueue_slots_busy", "mean"),
    ("worker_slots_busy_mean", "taskqueue_worker_slots_busy", "mean"),
)
# An age does not add up over processes.
_NOT_ADDED = frozenset({"oldest_age_max_s"})
_JOB_TIMES = ("wait", "execution", "completion")


@dataclass(frozen=True)
class InsideRow:
    """One figure. ``process`` is ``all`` for the whole stack; ``method`` may be empty.

    The unit is in the name of the metric: ``_ms`` and ``_s`` are times, ``_per_second`` rates,
    ``_mib`` sizes, ``_share`` a part of 1, and what has none is a number of things. ``value`` is
    ``None`` where there are too few samples.
    """

    trial: int
    process: str
    method: str
    metric: str
    value: float | None


@dataclass(frozen=True)
class Cost:
    """CPU of one process, its children included. ``ms_per_job`` is ``None`` if none finished."""

    process: str
    role: str
    cpu_seconds: float
    ms_per_job: float | None


def costs(trial: TrialRecording, window: Window) -> tuple[Cost, ...]:
    """Return what each process of the stack used in the window, and per finished job."""
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in trial.resources:
        if row.role == STACK:
            series[row.process].append((row.unix, row.cpu_seconds))
    finished = finished_in(trial.jobs, window)
    found = []
    for process, points in series.items():
        points.sort()
        used = interpolate(points, window.to_unix) - interpolate(points, window.from_unix)
        per_job = used * MS / finished if finished else None
        found.append(Cost(process, role_of(process), used, per_job))
    return tuple(found)


def rows(trial: TrialRecording, window: Window) -> Iterator[InsideRow]:
    """Give every figure of a trial; none if it did not complete."""
    if trial.load is None:
        return
    for process, method, metric, value in _figures(trial, window):
        yield InsideRow(trial.header.number, process, method, metric, value)


_Figure = tuple[str, str, str, float | None]


def _figures(trial: TrialRecording, window: Window) -> Iterator[_Figure]:
    yield from _resources(trial, window)
    metrics = trial.metrics
    for process in (*metrics.processes, ALL):
        where = None if process == ALL else process
        for method, metric, value in _of_process(metrics, where, window):
            yield process, method, metric, value
    yield from _breakdown_rows(trial, window)
    yield from _hop_rows(trial, window)


def _resources(trial: TrialRecording, window: Window) -> Iterator[_Figure]:
    found = costs(trial, window)
    for cost in found:
        yield cost.process, "", "cpu_cores", cost.cpu_seconds / window.seconds
        yield cost.process, "", "cpu_ms_per_job", cost.ms_per_job
    for use in budget.uses(trial, window):
        yield from ((use.process, "", metric, value) for metric, value in _use(use))
    if found:
        yield ALL, "", "cpu_cores", sum(cost.cpu_seconds for cost in found) / window.seconds
        per_job = [cost.ms_per_job for cost in found if cost.ms_per_job is not None]
        yield ALL, "", "cpu_ms_per_job", sum(per_job) if per_job else None


def _use(use: ProcessUse) -> Iterator[tuple[str, float]]:
    """Give what is known of a process and its budget."""
    sizes = (("rss_max_mib", use.memory_peak_bytes), ("memory_limit_mib", use.memory_limit_bytes))
    yield from ((name, size / MIB) for name, size in sizes if size is not None)
    figures = (
        ("memory_limit_share", use.memory_share),
        ("cpu_limit_cores", use.cpu_limit_cores),
        ("cpu_limit_share", use.cpu_share),
        ("throttled_share", use.throttled_share),
        ("throttled_periods_share", use.throttled_periods_share),
    )
    yield from ((name, value) for name, value in figures if value is not None)


def _of_process(
    metrics: MetricSeries, process: str | None, window: Window
) -> Iterator[served.Figure]:
    yield from _scrapes(metrics, process, window)
    yield from served.answered(metrics, process, window)
    yield from served.made(metrics, process, window)
    for metric, name, figure in _GAUGES:
        if process is None and metric in _NOT_ADDED:
            continue
        stretch = metrics.window(process, name, {}, window)
        if stretch is not None:
            yield "", metric, getattr(stretch, figure)
    for what in _JOB_TIMES:
        found = metrics.histogram(process, f"taskqueue_job_{what}_seconds", {}, window)
        for metric, value in served.times(f"job_{what}", found):
            yield "", metric, value
    yield from _counted(metrics, process, window)


def _scrapes(metrics: MetricSeries, process: str | None, window: Window) -> Iterator[served.Figure]:
    if process is None:
        if metrics.scraper_cpu_seconds is not None:
            yield "", "scraper_cpu_s", metrics.scraper_cpu_seconds
        return
    series = metrics.by_process[process]
    took = [
        seconds
        for unix, seconds in zip(series.times, series.took, strict=True)
        if window.from_unix <= unix <= window.to_unix
    ]
    yield "", "scrapes", len(took)
    yield "", "scrapes_unanswered", metrics.unanswered(window).get(process, 0)
    if took:
        yield "", "scrape_mean_ms", sum(took) * MS / len(took)


def _counted(metrics: MetricSeries, process: str | None, window: Window) -> Iterator[served.Figure]:
    stretch = metrics.window(process, "taskqueue_redeliveries_total", {}, window)
    if stretch is not None:
        yield "", "redeliveries", stretch.increase
    name = "taskqueue_rejected_transitions_total"
    for labels in metrics.label_sets(process, name):
        yield "", f"rejected_{labels['reason']}", metrics.increase(process, name, labels, window)


def _breakdown_rows(trial: TrialRecording, window: Window) -> Iterator[_Figure]:
    found = breakdown(trial, window)
    for method in found.methods:
        yield ALL, method.method, "client_mean_ms", method.mean_ms
        for segment in method.segments:
            name = re.sub(r"\W+", "_", segment.label)
            yield ALL, method.method, f"segment_{name}_ms", segment.milliseconds


def _hop_rows(trial: TrialRecording, window: Window) -> Iterator[_Figure]:
    found = hops.per_job(trial.metrics, window, partial(finished_in, trial.jobs))
    for hop in found or ():
        method = f"{hop.way.caller}>{hop.way.peer}.{hop.way.method}"
        yield ALL, method, "calls_per_job", hop.calls
        if hop.bytes is not None:
            yield ALL, method, "bytes_per_job", hop.bytes
        if hop.entries is not None:
            yield ALL, method, "entries_per_job", hop.entries
