"""The lifecycle table: every pair of states is walked."""

from __future__ import annotations

import itertools

import pytest

from common.domain import lifecycle
from common.domain.errors import StaleAttempt, TaskQueueError, TransitionRejected
from common.domain.job import Failure, Job, JobState
from common.domain.lifecycle import CANCELED, DONE, FAILED, QUEUED, RUNNING

NOW = 2_000
FAILURE = Failure("BROKEN", "it broke")


def job_in(state: JobState) -> Job:
    started = state is not QUEUED
    return Job(
        "id",
        "noop",
        state,
        create_time=1_000,
        attempt=1 if started else 0,
        start_time=1_500 if started else None,
        worker="w" if started else "",
        cancel_requested=True,
        failure=FAILURE if state is FAILED else None,
    )


def step(job: Job, target: JobState) -> Job:
    if target is RUNNING:
        return lifecycle.start(job, job.attempt + 1, "w2", NOW)
    failure = FAILURE if target is FAILED else None
    return lifecycle.finish(job, job.attempt, target, failure, NOW)


ALLOWED = {
    (QUEUED, RUNNING),
    (RUNNING, DONE),
    (RUNNING, FAILED),
    (QUEUED, CANCELED),
    (RUNNING, CANCELED),
    # Not a change of state: a lost job runs again under a higher attempt.
    (RUNNING, RUNNING),
}


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.product(JobState, [RUNNING, DONE, FAILED, CANCELED]))
)
def test_only_the_steps_of_the_table_are_taken(source: JobState, target: JobState) -> None:
    if (source, target) in ALLOWED:
        assert step(job_in(source), target).state is target
    else:
        with pytest.raises(TransitionRejected) as caught:
            step(job_in(source), target)
        assert caught.value.metadata["source"] == source.name
        assert caught.value.metadata["target"] == target.name


def test_no_step_leads_back_to_the_queue() -> None:
    for state in JobState:
        with pytest.raises(TransitionRejected):
            lifecycle.finish(job_in(state), 1, QUEUED, None, NOW)


def test_table_has_a_reason_and_an_actor_in_every_row() -> None:
    assert all(row.when and row.by for row in lifecycle.TABLE)
    assert len(lifecycle.ALLOWED) == len(lifecycle.TABLE) == 6


@pytest.mark.parametrize("target", [DONE, FAILED, CANCELED])
def test_report_of_a_replaced_attempt_is_stale(target: JobState) -> None:
    second = lifecycle.start(job_in(RUNNING), 2, "w2", NOW)
    failure = FAILURE if target is FAILED else None
    with pytest.raises(StaleAttempt):
        lifecycle.finish(second, 1, target, failure, NOW)


def test_repeated_start_by_the_same_worker_changes_nothing() -> None:
    job = job_in(RUNNING)
    assert lifecycle.start(job, 1, "w", NOW) is job


def test_start_of_the_same_attempt_by_another_worker_is_stale() -> None:
    with pytest.raises(StaleAttempt):
        lifecycle.start(job_in(RUNNING), 1, "other", NOW)


def test_running_job_is_not_canceled_unless_somebody_asked() -> None:
    running = lifecycle.start(Job("id", "noop", QUEUED, 1_000), 1, "w", NOW)
    with pytest.raises(TransitionRejected, match="no cancel was asked for"):
        lifecycle.finish(running, 1, CANCELED, None, NOW)


@pytest.mark.parametrize(("target", "failure"), [(FAILED, None), (DONE, FAILURE)])
def test_failure_goes_with_failed_and_only_with_it(
    target: JobState, failure: Failure | None
) -> None:
    with pytest.raises(TransitionRejected):
        lifecycle.finish(job_in(RUNNING), 1, target, failure, NOW)


def test_cancel_of_a_terminal_job_returns_it_unchanged() -> None:
    for state in (DONE, FAILED, CANCELED):
        job = job_in(state)
        assert lifecycle.request_cancel(job, NOW) is job


def test_times_never_run_backwards_even_if_the_clock_does() -> None:
    job = Job("id", "noop", QUEUED, 1_000)
    started = lifecycle.start(job, 1, "w", 500)
    finished = lifecycle.finish(started, 1, DONE, None, 200)
    assert job.create_time <= started.start_time <= finished.finish_time


def test_every_error_says_what_happened() -> None:
    with pytest.raises(TaskQueueError) as caught:
        lifecycle.start(job_in(DONE), 2, "w", NOW)
    assert caught.value.definite
    assert "DONE" in caught.value.message
