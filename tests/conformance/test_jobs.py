"""The rules of job metadata and state, in every store: records, request ids, cancels, pages."""

from __future__ import annotations

import pytest

from common.domain.errors import (
    JobNotFound,
    RequestIdReused,
    StaleAttempt,
    SubmitWithdrawn,
    TransitionRejected,
)
from common.domain.job import Execution, Failure, Job, JobState
from common.ports import NewJob, Transition
from tests.support.owners import HandClock
from tests.support.stores import Jobs, OpenStore


async def test_one_bad_entry_does_not_spoil_the_others(jobs: Jobs) -> None:
    job = await jobs.create()
    answers = await jobs.owner.get(["0" * 16, job.id])
    assert isinstance(answers[0], JobNotFound)
    assert answers[1] == job


async def test_repeated_request_id_finds_the_first_job(jobs: Jobs) -> None:
    first = await jobs.create(request_id="r", digest=b"d")
    await jobs.step(first, JobState.RUNNING)
    assert (await jobs.create(request_id="r", digest=b"d")).id == first.id
    assert sum((await jobs.counts()).values()) == 1


async def test_request_id_of_another_job_is_refused(jobs: Jobs) -> None:
    await jobs.create(request_id="r", digest=b"d")
    assert isinstance(await jobs.create(request_id="r", digest=b"e"), RequestIdReused)


async def test_withdrawn_submit_leaves_nothing_and_frees_its_request_id(jobs: Jobs) -> None:
    first = await jobs.create(request_id="r", digest=b"d")
    assert (await jobs.withdraw(first)).state is JobState.CANCELED
    assert isinstance(await jobs.get(first.id), JobNotFound)
    assert await jobs.page() == []
    assert (await jobs.create(request_id="r", digest=b"other")).id != first.id


async def test_withdrawn_submit_spares_a_job_that_another_submit_relies_on(jobs: Jobs) -> None:
    first = await jobs.create(request_id="r", digest=b"d", submit_id="s1")
    await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    assert (await jobs.withdraw(first, "s2")).state is JobState.QUEUED
    assert await jobs.get(first.id) == first
    assert (await jobs.withdraw(first, "s1")).state is JobState.CANCELED
    assert isinstance(await jobs.get(first.id), JobNotFound)


async def test_job_stays_when_its_first_submit_is_withdrawn_and_a_repeat_relies_on_it(
    jobs: Jobs,
) -> None:
    first = await jobs.create(request_id="r", digest=b"d", submit_id="s1")
    await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    assert (await jobs.withdraw(first, "s1")).state is JobState.QUEUED
    assert await jobs.get(first.id) == first
    await jobs.withdraw_unanswered("s2")
    assert isinstance(await jobs.get(first.id), JobNotFound)


async def test_withdrawal_that_arrives_twice_counts_once(jobs: Jobs) -> None:
    first = await jobs.create(request_id="r", digest=b"d", submit_id="s1")
    await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    for _ in range(2):
        assert (await jobs.withdraw(first, "s2")).state is JobState.QUEUED
    assert await jobs.get(first.id) == first


async def test_submit_that_arrives_twice_makes_one_record(jobs: Jobs) -> None:
    first = await jobs.create(submit_id="s1")
    jobs.clock.advance(5)
    assert await jobs.create(submit_id="s1") == first
    assert await jobs.create(submit_id="s2") != first
    assert len(await jobs.page()) == 2


async def test_submit_that_arrives_again_once_it_is_withdrawn_makes_none(jobs: Jobs) -> None:
    first = await jobs.create(submit_id="s1")
    await jobs.withdraw(first, "s1")
    assert isinstance(await jobs.create(submit_id="s1"), JobNotFound)
    assert await jobs.page() == []


async def test_submit_that_is_withdrawn_without_knowing_its_job_leaves_nothing(jobs: Jobs) -> None:
    first = await jobs.create(submit_id="s1")
    await jobs.withdraw_unanswered("s1")
    assert isinstance(await jobs.get(first.id), JobNotFound)
    assert await jobs.page() == []


async def test_submit_that_comes_after_its_withdrawal_makes_no_job(jobs: Jobs) -> None:
    await jobs.withdraw_unanswered("s1")
    jobs.clock.advance(5)
    assert isinstance(
        await jobs.create(request_id="r", digest=b"d", submit_id="s1"), SubmitWithdrawn
    )
    assert await jobs.page() == []
    assert (
        await jobs.create(request_id="r", digest=b"other", submit_id="s2")
    ).state is JobState.QUEUED


@pytest.mark.parametrize("comes_late", [False, True])
async def test_repeat_that_was_not_answered_takes_no_job_from_the_one_that_was(
    jobs: Jobs, comes_late: bool
) -> None:
    promised = await jobs.create(request_id="r", digest=b"d", submit_id="s1")
    if not comes_late:
        await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    await jobs.withdraw_unanswered("s2")
    if comes_late:
        await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    await jobs.withdraw_unanswered("s2")
    assert await jobs.get(promised.id) == promised


async def test_job_that_is_kept_out_of_the_queue_is_forgotten_whoever_relies_on_it(
    jobs: Jobs,
) -> None:
    first = await jobs.create(request_id="r", digest=b"d", submit_id="s1")
    await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    assert (await jobs.forget(first)).state is JobState.CANCELED
    assert isinstance(await jobs.get(first.id), JobNotFound)
    assert (await jobs.create(request_id="r", digest=b"other", submit_id="s3")).id != first.id


async def test_job_that_runs_is_not_forgotten_as_one_that_is_not_in_the_queue(jobs: Jobs) -> None:
    job = await jobs.create()
    running = await jobs.step(job, JobState.RUNNING)
    assert await jobs.forget(job) == running
    assert await jobs.get(job.id) == running


async def test_withdrawn_submit_does_not_touch_a_running_job(jobs: Jobs) -> None:
    job = await jobs.create()
    running = await jobs.step(job, JobState.RUNNING)
    assert await jobs.withdraw(job) == running
    assert not (await jobs.get(job.id)).cancel_requested


async def test_rejected_step_changes_nothing_and_is_observed(jobs: Jobs) -> None:
    job = await jobs.create()
    await jobs.step(job, JobState.RUNNING, attempt=2)
    before = await jobs.get(job.id)
    assert isinstance(await jobs.step(job, JobState.DONE, attempt=1), StaleAttempt)
    assert await jobs.get(job.id) == before
    assert [error.reason for error in jobs.observer.rejections] == ["STALE_ATTEMPT"]


async def test_same_attempt_belongs_to_the_worker_that_started_it(jobs: Jobs) -> None:
    job = await jobs.create()
    running = await jobs.step(job, JobState.RUNNING)
    assert await jobs.step(job, JobState.RUNNING) == running
    (answer,) = await jobs.owner.transition(
        [Transition(Execution(job.id, 1), JobState.RUNNING, "another")]
    )
    assert isinstance(answer, StaleAttempt)
    assert await jobs.get(job.id) == running


async def test_a_start_keeps_no_failure(jobs: Jobs) -> None:
    job = await jobs.create()
    start = Transition(Execution(job.id, 1), JobState.RUNNING, "w", Failure("X", "x"))
    (running,) = await jobs.owner.transition([start])
    assert isinstance(running, Job)
    assert running.failure is None
    assert await jobs.get(job.id) == running


async def test_a_running_job_is_canceled_only_if_that_was_asked_for(jobs: Jobs) -> None:
    job = await jobs.create()
    running = await jobs.step(job, JobState.RUNNING)
    assert isinstance(await jobs.step(job, JobState.CANCELED), TransitionRejected)
    assert await jobs.get(job.id) == running
    await jobs.cancel(job)
    assert (await jobs.step(job, JobState.CANCELED)).state is JobState.CANCELED


async def test_steps_of_one_job_in_one_batch_are_taken_one_after_another(jobs: Jobs) -> None:
    job = await jobs.create()
    execution = Execution(job.id, 1)
    answers = await jobs.owner.transition(
        [
            Transition(execution, JobState.RUNNING, "w"),
            Transition(execution, JobState.DONE, "w"),
            Transition(execution, JobState.FAILED, "w", Failure("X", "x")),
        ]
    )
    assert [getattr(each, "state", None) for each in answers] == [
        JobState.RUNNING,
        JobState.DONE,
        None,
    ]
    assert await jobs.get(job.id) == answers[1]


async def test_submit_is_remembered_for_twenty_seconds(jobs: Jobs) -> None:
    first = await jobs.create(submit_id="s1")
    jobs.clock.advance(20)
    assert await jobs.create(submit_id="s1") == first
    jobs.clock.advance(0.001)
    assert await jobs.create(submit_id="s1") != first


async def test_first_terminal_report_wins(jobs: Jobs) -> None:
    job = await jobs.create()
    await jobs.step(job, JobState.RUNNING)
    done = await jobs.step(job, JobState.DONE)
    jobs.clock.advance(1)
    await jobs.step(job, JobState.FAILED)
    assert await jobs.get(job.id) == done


async def test_pages_filter_by_state_and_kind_together(jobs: Jobs) -> None:
    made = [await jobs.create(kind) for kind in ("noop", "sleep", "noop", "sleep")]
    for job in made[:2]:
        await jobs.step(job, JobState.RUNNING)
    ids = [job.id for job in made]
    assert await jobs.page() == ids[::-1]
    assert await jobs.page(kind="noop") == [ids[2], ids[0]]
    assert await jobs.page(state=JobState.RUNNING) == [ids[1], ids[0]]
    assert await jobs.page(state=JobState.RUNNING, kind="noop") == [ids[0]]
    assert await jobs.page(state=JobState.DONE) == []
    assert await jobs.page(before=ids[2], limit=1) == [ids[1]]


async def test_counts_follow_every_step(jobs: Jobs) -> None:
    first, second, third = [await jobs.create() for _ in range(3)]
    await jobs.step(first, JobState.RUNNING)
    await jobs.step(first, JobState.FAILED)
    await jobs.cancel(second)
    await jobs.step(third, JobState.RUNNING)
    assert {state.name: count for state, count in (await jobs.counts()).items() if count} == {
        "FAILED": 1,
        "CANCELED": 1,
        "RUNNING": 1,
    }


async def test_request_ids_are_kept_as_long_as_their_jobs_however_many_there_are(
    jobs: Jobs,
) -> None:
    many = [NewJob("noop", f"r{number}", b"d") for number in range(5000)]
    first = [job for job in await jobs.owner.create(many) if isinstance(job, Job)]
    for job in first[:1000]:
        await jobs.step(job, JobState.RUNNING)
        await jobs.step(job, JobState.DONE)
    jobs.clock.advance(30 * 24 * 3600)
    again = await jobs.owner.create(many)
    assert again[1000:] == first[1000:]
    assert [job.id for job in again if isinstance(job, Job)] == [job.id for job in first]


async def test_a_job_is_forgotten_when_its_retention_is_over_and_not_before(
    open_store: OpenStore, clock: HandClock
) -> None:
    jobs = Jobs(open_store(retention=60), clock)
    ended, waiting = await jobs.create(request_id="r", digest=b"d"), await jobs.create()
    await jobs.step(ended, JobState.RUNNING)
    done = await jobs.step(ended, JobState.DONE)
    clock.advance(59)
    assert await jobs.get(ended.id) == done
    clock.advance(2)
    assert isinstance(await jobs.get(ended.id), JobNotFound)
    assert await jobs.page() == [waiting.id]
    assert isinstance(await jobs.step(ended, JobState.DONE), JobNotFound)
    again = await jobs.create(request_id="r", digest=b"other")
    assert again.id not in {ended.id, waiting.id}
    assert sum((await jobs.counts()).values()) == 2


async def test_canceled_jobs_are_forgotten_too(open_store: OpenStore, clock: HandClock) -> None:
    jobs = Jobs(open_store(retention=60), clock)
    job = await jobs.create()
    canceled = await jobs.cancel(job)
    clock.advance(59)
    assert await jobs.get(job.id) == canceled
    clock.advance(2)
    assert isinstance(await jobs.get(job.id), JobNotFound)


async def test_a_page_is_full_though_many_jobs_in_between_are_forgotten(
    open_store: OpenStore, clock: HandClock
) -> None:
    jobs = Jobs(open_store(retention=60), clock)
    oldest = [await jobs.create() for _ in range(3)]
    many = await jobs.owner.create([NewJob("noop")] * 700)
    newest = await jobs.create()
    await jobs.owner.set_cancel_requested([job.id for job in many if isinstance(job, Job)])
    clock.advance(61)
    assert await jobs.page(limit=4) == [newest.id, *(job.id for job in reversed(oldest))]
    assert await jobs.page(before=newest.id, limit=2) == [oldest[2].id, oldest[1].id]


async def test_request_id_of_a_forgotten_job_belongs_to_the_next_one_that_uses_it(
    open_store: OpenStore, clock: HandClock
) -> None:
    jobs = Jobs(open_store(retention=60), clock)
    many = [NewJob("noop", f"r{number}", b"d") for number in range(1000)]
    first = [job for job in await jobs.owner.create(many) if isinstance(job, Job)]
    await jobs.owner.set_cancel_requested([job.id for job in first])
    clock.advance(61)
    again = await jobs.create(request_id="r999", digest=b"other")
    assert again.id != first[-1].id
    for _ in range(10):
        await jobs.counts()
    assert await jobs.create(request_id="r999", digest=b"other") == again
    assert sum((await jobs.counts()).values()) == 1
