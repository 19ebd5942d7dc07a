"""The figures of one trial, and whether they can be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from testbed.drive.figures import (
    budget,
    caches,
    hops,
    metrics,
    quantiles,
    resources,
    stores,
    validity,
    warmup,
)
from testbed.drive.figures.metrics import Figure, Metric
from testbed.drive.figures.validity import Limits
from testbed.drive.figures.warmup import FOUND, Cut
from testbed.record.model import (
    COMPLETE,
    FINISHED_STATES,
    GENERATOR,
    STACK,
    JobRow,
    LoadRecording,
    TrialHeader,
    TrialRecording,
    Window,
)

US_TO_MS = 1e-3
GENERATOR_LIMIT = 0.8
SAMPLE_GAP_LIMIT = 2.0


@dataclass(frozen=True)
class TrialFigures:
    """A trial's figures by the name of their metric.

    ``problems`` void the trial: it is left out of medians and ratios. ``warnings`` do not, but
    a reader has to know them. ``cut`` is what was measured of the drive, ``None`` of a trial that
    did not complete.
    """

    header: TrialHeader
    figures: Mapping[str, Figure] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    lost: tuple[JobRow, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    cut: Cut | None = None

    def has(self, metric: Metric) -> bool:
        """Whether there is such a figure."""
        found = self.figures.get(metric.name)
        return found is not None and found.value is not None

    @property
    def valid(self) -> bool:
        """Whether the figures may be compared."""
        return not self.problems


def analyse(trial: TrialRecording, limits: Limits | None = None) -> TrialFigures:
    """Work out the figures of a trial; one that did not complete has none.

    ``limits`` are those of its plan, by default those of any plan that names none.
    """
    header, load = trial.header, trial.load
    if header.status != COMPLETE or load is None:
        return TrialFigures(header, problems=(f"{header.status}: {header.error or 'no reason'}",))
    cut = warmup.cut(load)
    window, held_to = cut.window, limits or Limits()
    figures = {
        **_calls(load, window),
        **_jobs(trial.jobs, window),
        **_cost(trial, window),
        **_said(trial, window),
        **_stored(trial, window),
        **_cached(trial, window),
    }
    lost = tuple(job for job in trial.jobs if job.lost)
    return TrialFigures(
        header=header,
        figures=figures,
        calls=tuple(name for name, call in load.calls.items() if call.answered(window)),
        lost=lost,
        problems=tuple(validity.problems(trial, cut, held_to)),
        warnings=(
            *_warnings(trial, load, cut, figures),
            *validity.late_sends_let_pass(load, window, held_to),
        ),
        cut=cut,
    )


def _calls(load: LoadRecording, window: Window) -> dict[str, Figure]:
    rows = load.in_window(window)
    answered = sum(row.answered + row.expected for row in rows)
    figures = {
        "requests_per_second": Figure(answered / window.seconds, answered),
        "errors_definite": Figure(sum(row.definite for row in rows)),
        "errors_indefinite": Figure(sum(row.indefinite for row in rows)),
        "jobs_accepted": Figure(len(load.accepted_ids)),
    }
    for name, call in load.calls.items():
        latencies = call.histogram(load.latency, window)
        for percent in metrics.PERCENTILES:
            figure = quantiles.of_histogram(latencies, percent, US_TO_MS)
            figures[metrics.latency(name, percent).name] = figure
    return figures


def _jobs(jobs: tuple[JobRow, ...], window: Window) -> dict[str, Figure]:
    """Times are of the jobs created in the window; a canceled job has no completion time."""
    created = [job for job in jobs if window.holds_us(job.create_us)]
    completion = sorted(
        (job.finish_us - job.create_us) * US_TO_MS
        for job in created
        if job.state in FINISHED_STATES and job.finish_us is not None and job.create_us is not None
    )
    waits = sorted(
        (job.start_us - job.create_us) * US_TO_MS
        for job in created
        if job.attempt == 1 and job.start_us is not None and job.create_us is not None
    )
    finished = finished_in(jobs, window)
    return {
        "jobs_per_second": Figure(finished / window.seconds, finished),
        **{
            f"completion_p{percent}_ms": quantiles.of_values(completion, percent)
            for percent in metrics.PERCENTILES
        },
        "queue_wait_p50_ms": quantiles.of_values(waits, 50),
        "jobs_lost": Figure(sum(job.lost for job in jobs)),
        "jobs_expired": Figure(sum(job.expired for job in jobs) or None),
        "jobs_rerun": Figure(sum(job.attempt > 1 for job in jobs)),
    }


def finished_in(jobs: tuple[JobRow, ...], window: Window) -> int:
    """Count the jobs, whenever created, whose execution ended within the window."""
    return sum(job.state in FINISHED_STATES and window.holds_us(job.finish_us) for job in jobs)


def _cost(trial: TrialRecording, window: Window) -> dict[str, Figure]:
    stack = resources.cpu_seconds(trial.resources, STACK, window)
    generator = resources.cpu_seconds(trial.resources, GENERATOR, window)
    peak = resources.peak_rss(trial.resources, STACK)
    finished = finished_in(trial.jobs, window)
    per_job = stack * 1000 / finished if stack is not None and finished else None
    return {
        "cpu_ms_per_job": Figure(per_job, finished),
        "stack_cores": Figure(None if stack is None else stack / window.seconds),
        "generator_cores": Figure(None if generator is None else generator / window.seconds),
        "peak_rss_mib": Figure(None if peak is None else peak / (1 << 20)),
    }


def _said(trial: TrialRecording, window: Window) -> dict[str, Figure]:
    """Count the calls between processes; a stack that does not count them has no figure."""
    found = hops.per_job(trial.metrics, window, partial(finished_in, trial.jobs))
    inner = hops.internal(found) if found is not None else None
    return {
        "internal_calls_per_job": Figure(inner.calls if inner else None),
        "internal_bytes_per_job": Figure(inner.bytes if inner else None),
    }


def _stored(trial: TrialRecording, window: Window) -> dict[str, Figure]:
    """Count what stores were asked and wrote; a stack without a store has no figure."""
    finished = partial(finished_in, trial.jobs)
    return {
        "store_trips_per_job": Figure(stores.trips_per_job(trial.metrics, window, finished)),
        "store_bytes_per_job": Figure(stores.bytes_per_job(trial.servers, window, finished)),
    }


def _cached(trial: TrialRecording, window: Window) -> dict[str, Figure]:
    """Count what a cache answered and was asked; a stack without one has no figure."""
    finished = partial(finished_in, trial.jobs)
    return {
        "cache_hits_percent": Figure(caches.hits_percent(trial.metrics, window)),
        "cache_trips_per_job": Figure(caches.trips_per_job(trial.metrics, window, finished)),
    }


def _warnings(
    trial: TrialRecording, load: LoadRecording, cut: Cut, figures: Mapping[str, Figure]
) -> list[str]:
    warnings = []
    if cut.kind == FOUND:
        warnings.append(
            f"measured from {cut.warmup:.1f} s on, not from the nominal warm-up of "
            f"{load.nominal_warmup:g} s: {cut.why}"
        )
    generator = figures["generator_cores"].value
    if generator is not None and generator > GENERATOR_LIMIT:
        warnings.append(
            f"the load generator used {generator:.2f} of one core: it, not the stack, may be what "
            "is measured; use fewer users or a longer think time"
        )
    gap = resources.longest_gap(trial.resources, cut.window)
    if gap > SAMPLE_GAP_LIMIT:
        warnings.append(f"no CPU sample for {gap:.1f} s: the machine was overloaded")
    warnings += _throttled(trial, cut.window)
    kinds: dict[str, int] = {}
    for call in load.calls.values():
        for kind, count in call.error_kinds.items():
            kinds[f"{call.name} {kind}"] = kinds.get(f"{call.name} {kind}", 0) + count
    if kinds:
        listed = ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))
        warnings.append(f"errors: {listed}")
    unknown = _unacknowledged(trial.jobs, load)
    if unknown:
        warnings.append(
            f"{unknown} jobs exist that were acknowledged to no client: submits with an "
            "indefinite outcome"
        )
    return warnings


def _throttled(trial: TrialRecording, window: Window) -> list[str]:
    """Warn of processes whose latencies are in part those of their CPU limit."""
    held = [
        f"{use.process} {use.throttled_share or 0:.0%}"
        for use in budget.uses(trial, window)
        if use.held_back
    ]
    if not held:
        return []
    return [
        f"throttled by the CPU limit for this part of the time: {', '.join(held)}; latencies are "
        "in part those of the budget, not of the design"
    ]


def _unacknowledged(jobs: tuple[JobRow, ...], load: LoadRecording) -> int:
    """Count jobs that exist unasked; submits that the end of the drive cut off do not count."""
    end_us = load.window.to_unix * 1e6
    return sum(not job.accepted and (job.create_us or 0) < end_us for job in jobs)
