"""The lifecycle of a job: one table of steps, and the functions that take them.

A step is taken on an immutable :class:`~common.domain.job.Job` and gives the next one, or raises
:class:`~common.domain.errors.TransitionRejected` or :class:`~common.domain.errors.StaleAttempt`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.domain.errors import StaleAttempt, TransitionRejected
from common.domain.job import Failure, Job, JobState

QUEUED, RUNNING, DONE, FAILED, CANCELED = JobState


@dataclass(frozen=True)
class Move:
    """One row of the table: who moves a job from ``source`` to ``target``, and when."""

    source: JobState | None
    target: JobState
    when: str
    by: str


TABLE: tuple[Move, ...] = (
    Move(None, QUEUED, "a submit is accepted", "gateway → job (+ queue)"),
    Move(QUEUED, RUNNING, "dispatched", "coordinator → job"),
    Move(RUNNING, DONE, "success reported, output stored first", "worker → coordinator → job"),
    Move(RUNNING, FAILED, "failure reported, reason stored", "worker → coordinator → job"),
    Move(QUEUED, CANCELED, "cancel before the start", "gateway/coordinator → job"),
    Move(RUNNING, CANCELED, "cancel reached the worker first", "worker → coordinator → job"),
)

ALLOWED: frozenset[tuple[JobState | None, JobState]] = frozenset(
    (step.source, step.target) for step in TABLE
)


def start(job: Job, attempt: int, worker: str, now: int) -> Job:
    """Begin an execution. A higher attempt replaces a lost one and leaves the state RUNNING.

    Repeating the current attempt by the same worker changes nothing.
    """
    if job.state is RUNNING:
        if attempt == job.attempt and worker == job.worker:
            return job
        if attempt <= job.attempt:
            raise StaleAttempt(job.id, attempt, job.attempt)
    else:
        _check(job, RUNNING)
    return replace(
        job, state=RUNNING, attempt=attempt, worker=worker, start_time=max(now, job.create_time)
    )


def finish(job: Job, attempt: int, target: JobState, failure: Failure | None, now: int) -> Job:
    """End the current execution with a terminal state; the first valid report wins."""
    _check(job, target)
    if attempt != job.attempt:
        raise StaleAttempt(job.id, attempt, job.attempt)
    if target is CANCELED and job.state is RUNNING and not job.cancel_requested:
        raise TransitionRejected(job.id, job.state.name, target.name, "no cancel was asked for")
    if (failure is not None) != (target is FAILED):
        raise TransitionRejected(
            job.id, job.state.name, target.name, "a failure goes with FAILED and only with it"
        )
    latest = job.start_time if job.start_time is not None else job.create_time
    return replace(job, state=target, failure=failure, finish_time=max(now, latest))


def request_cancel(job: Job, now: int) -> Job:
    """Cancel a queued job at once, mark a running one, leave a terminal one as it is."""
    if job.state is QUEUED:
        _check(job, CANCELED)
        return replace(
            job, state=CANCELED, cancel_requested=True, finish_time=max(now, job.create_time)
        )
    if job.state is RUNNING:
        return job if job.cancel_requested else replace(job, cancel_requested=True)
    return job


def _check(job: Job, target: JobState) -> None:
    if (job.state, target) not in ALLOWED:
        raise TransitionRejected(job.id, job.state.name, target.name)
