"""Whether a drive held an objective, failed it, or says nothing because of the generator. Pure.

What the design does by its own clock (lost jobs, a growing backlog, completion times) and errors
count whatever the generator did. Response times count only if the generator was sound: one that
is out of CPU measures itself. So they are checked last.

Response times begin when a call was due, so they include what the generator sent it late by. That
can make an objective be missed, and then the drive says nothing; it cannot make one be held. So
late sends alone void no drive that holds (decision 0047).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from testbed.drive.figures import validity
from testbed.drive.figures.validity import Limits
from testbed.record.calls import merge
from testbed.record.model import (
    COMPLETE,
    TERMINAL_STATES,
    JobRow,
    LoadRecording,
    TrialRecording,
    Window,
)
from testbed.runs.capacity.search import DriveVerdict
from testbed.runs.capacity.slo import Slo
from testbed.stats import percentile, samples_needed

COMPLETION = 99.0
# A backlog grows if it takes in more than this share of the jobs that are accepted ...
GROWTH_SHARE = 0.05
# ... and more jobs over the drive than random variation moves it by.
GROWTH_JOBS = 10
# Without a limit for errors, calls that could not be sent for this reason still count as one.
DROPPED_SHARE = 0.02


def sent_late(percent: int) -> str:
    """Name the figure that is a percentile of the send delay, in milliseconds."""
    return f"sent_late_p{percent}_ms"


@dataclass(frozen=True)
class Judgement:
    """What came of a drive, why, and its figures by name (milliseconds, shares, per second)."""

    verdict: DriveVerdict
    reason: str
    figures: dict[str, float] = field(default_factory=dict)


def judge(trial: TrialRecording, slo: Slo, limits: Limits) -> Judgement:
    """Judge a drive by what it left behind."""
    load = trial.load
    if trial.header.status != COMPLETE or load is None:
        return Judgement(
            DriveVerdict.FAILED, trial.header.error.partition("\n")[0] or "did not complete"
        )
    window = load.after_nominal
    figures = _figures(trial, load, window, slo)
    for reason in validity.length_problems(load.window, load.asked_seconds):
        return Judgement(DriveVerdict.VOID, reason, figures)
    for reason in _certain(trial, window, slo, figures):
        return Judgement(DriveVerdict.FAILED, reason, figures)
    for reason in validity.load_problems(load, window, limits):
        return Judgement(DriveVerdict.VOID, reason, figures)
    for reason in _slow(slo, figures):
        for late in validity.late_sends(load, window, limits):
            return Judgement(DriveVerdict.VOID, f"{reason}, but {late.problem(limits)}", figures)
        return Judgement(DriveVerdict.FAILED, reason, figures)
    for reason in _unknown(slo, figures):
        return Judgement(DriveVerdict.FAILED, reason, figures)
    return Judgement(DriveVerdict.HELD, _summary(slo, figures), figures)


def backlog_growth(jobs: tuple[JobRow, ...], window: Window) -> float:
    """Return by how many jobs per second the accepted and unfinished ones grow over the window.

    The slope of a straight line through their number at each whole second.
    """
    seconds = np.array(window.whole_seconds(), dtype=np.float64)
    if len(seconds) < 2:
        return 0.0
    created = np.sort([job.create_us for job in jobs if job.create_us is not None])
    ended = np.sort(
        [
            job.finish_us
            for job in jobs
            if job.finish_us is not None and job.state in TERMINAL_STATES
        ]
    )
    waiting = np.searchsorted(created, seconds * 1e6) - np.searchsorted(ended, seconds * 1e6)
    return float(np.polyfit(seconds, waiting, 1)[0])


def throughput(trial: TrialRecording, limits: Limits) -> Judgement:
    """Return the answered calls per second of a closed loop, or why the drive gives none."""
    load = trial.load
    if trial.header.status != COMPLETE or load is None:
        return Judgement(
            DriveVerdict.FAILED, trial.header.error.partition("\n")[0] or "did not complete"
        )
    window = load.after_nominal
    answered = sum(each.answered + each.expected for each in load.in_window(window))
    if not answered:
        return Judgement(DriveVerdict.FAILED, "no call was answered")
    figures = {"calls_per_second": answered / window.seconds}
    for reason in chain(
        validity.length_problems(load.window, load.asked_seconds),
        validity.generator_problems(load, window, limits),
    ):
        return Judgement(DriveVerdict.VOID, reason, figures)
    return Judgement(DriveVerdict.HELD, "", figures)


def _figures(
    trial: TrialRecording, load: LoadRecording, window: Window, slo: Slo
) -> dict[str, float]:
    rows = load.in_window(window)
    due, sent = sum(row.due for row in rows), sum(row.sent for row in rows)
    dropped = sum(row.dropped for row in rows)
    errors = sum(row.definite + row.indefinite for row in rows) + dropped
    created = [job for job in trial.jobs if window.holds_us(job.create_us)]
    figures = {
        "sent_per_second": sent / window.seconds,
        "answered_per_second": sum(r.answered + r.expected for r in rows) / window.seconds,
        "jobs_accepted_per_second": len(created) / window.seconds,
        "backlog_growth_per_second": backlog_growth(trial.jobs, window),
        "error_share": errors / due if due else 0.0,
        "dropped": float(dropped),
        **{sent_late(each.percent): each.late_ms for each in validity.send_delays(load, window)},
    }
    for each in slo.latencies:
        histogram = merge(
            interval
            for name, series in load.calls.items()
            if each.call in {None, name}
            for _, interval in series.each_second(load.latency, window)
        )
        if histogram.get_total_count() >= samples_needed(each.percent):
            figures[each.name] = (percentile(histogram, each.percent) or 0.0) / 1000
    times = [
        (job.finish_us - job.create_us) / 1000
        for job in created
        if job.finish_us is not None and job.create_us is not None and job.state != "CANCELED"
    ]
    if len(times) >= samples_needed(COMPLETION):
        figures["completion"] = percentile(times, COMPLETION) or 0.0
    return figures


def _certain(
    trial: TrialRecording,
    window: Window,
    slo: Slo,
    figures: dict[str, float],
) -> Iterator[str]:
    """Give what proves a failure whatever the generator did."""
    if lost := sum(job.lost for job in trial.jobs):
        yield f"{lost} accepted jobs lost"
    if left := sum(job.left for job in trial.jobs):
        yield f"{left} jobs that nobody was promised did not end"
    if not figures["answered_per_second"]:
        yield "no call was answered"
    growth, accepted = figures["backlog_growth_per_second"], figures["jobs_accepted_per_second"]
    if growth > GROWTH_SHARE * accepted and growth * window.seconds > GROWTH_JOBS:
        yield f"the backlog grows by {growth:.0f} jobs/s of {accepted:.0f} accepted"
    share = figures["error_share"]
    allowed = 1.0 if slo.errors is None else slo.errors
    if share > allowed:
        dropped = f", {figures['dropped']:.0f} of them unsent for too many waited" * (
            figures["dropped"] > 0
        )
        yield f"errors are {share:.2%} of the calls, {allowed:.2%} are allowed{dropped}"
    elif figures["dropped"] > DROPPED_SHARE * figures["sent_per_second"] * window.seconds:
        yield f"{figures['dropped']:.0f} calls not sent, for too many waited for an answer"
    done = figures.get("completion")
    if slo.completion_ms is not None and done is not None and done > slo.completion_ms:
        yield f"completion p99 is {done:.0f} ms, {slo.completion_ms:g} ms are allowed"


def _slow(slo: Slo, figures: dict[str, float]) -> Iterator[str]:
    for each in slo.latencies:
        value = figures.get(each.name)
        if value is not None and value > each.ms:
            yield f"{each.name} is {value:.1f} ms, {each.ms:g} ms are allowed"


def _unknown(slo: Slo, figures: dict[str, float]) -> Iterator[str]:
    for each in slo.latencies:
        if each.name not in figures:
            yield f"too few calls for {each.name}: drive for longer"
    if slo.completion_ms is not None and "completion" not in figures:
        yield "too few jobs for the p99 of completion times: drive for longer"


def _summary(slo: Slo, figures: dict[str, float]) -> str:
    parts = [f"{each.name} {figures[each.name]:.1f} ms" for each in slo.latencies]
    if slo.errors is not None:
        parts.append(f"errors {figures['error_share']:.2%}")
    if slo.completion_ms is not None:
        parts.append(f"completion p99 {figures['completion']:.0f} ms")
    late = [
        f"p{percent} {figures[name]:.2f} ms"
        for percent in validity.PERCENTILES
        if (name := sent_late(percent)) in figures
    ]
    if late:
        parts.append(f"sent late by {' and '.join(late)}")
    return ", ".join(parts)
