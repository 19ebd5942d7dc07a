"""The job owner: records, request ids, cancels and pages."""

from __future__ import annotations

from typing import Any

import pytest

from common.domain.errors import JobNotFound, RequestIdReused, StaleAttempt, SubmitWithdrawn
from common.domain.ids import IdMint
from common.domain.job import Execution, Failure, Job, JobState
from common.domain.paging import JobQuery
from common.owners.jobs import JobOwner
from common.ports import NewJob, Transition
from tests.support.owners import HandClock, Silence


class Jobs:
    """A job owner with a clock to turn, asked for one job at a time."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.observer = Silence()
        self.owner = JobOwner(IdMint(0, 1), self.clock, self.observer)

    async def create(
        self, kind: str = "noop", request_id: str = "", digest: bytes = b"", submit_id: str = ""
    ) -> Any:
        (answer,) = await self.owner.create([NewJob(kind, request_id, digest, submit_id)])
        return answer

    async def step(self, job: Job, target: JobState, attempt: int = 1) -> Any:
        failure = Failure("X", "x") if target is JobState.FAILED else None
        step = Transition(Execution(job.id, attempt), target, "w", failure)
        (answer,) = await self.owner.transition([step])
        return answer

    async def cancel(self, job: Job) -> Any:
        (answer,) = await self.owner.set_cancel_requested([job.id])
        return answer

    async def forget(self, job: Job) -> Any:
        (answer,) = await self.owner.forget([job.id])
        return answer

    async def withdraw(self, job: Job, submit_id: str = "") -> Any:
        return await self.owner.withdraw(submit_id, job.id)

    async def withdraw_unanswered(self, submit_id: str) -> None:
        assert await self.owner.withdraw(submit_id) is None

    async def get(self, job_id: str) -> Any:
        return (await self.owner.get([job_id]))[0]

    async def page(self, **query: Any) -> list[str]:
        return [job.id for job in await self.owner.page(JobQuery(**query))]


async def test_one_bad_entry_does_not_spoil_the_others() -> None:
    jobs = Jobs()
    job = await jobs.create()
    answers = await jobs.owner.get(["0" * 16, job.id])
    assert isinstance(answers[0], JobNotFound)
    assert answers[1] == job


async def test_repeated_request_id_finds_the_first_job() -> None:
    jobs = Jobs()
    first = await jobs.create(request_id="r", digest=b"d")
    await jobs.step(first, JobState.RUNNING)
    assert (await jobs.create(request_id="r", digest=b"d")).id == first.id
    assert sum(jobs.owner.counts().values()) == 1


async def test_request_id_of_another_job_is_refused() -> None:
    jobs = Jobs()
    await jobs.create(request_id="r", digest=b"d")
    assert isinstance(await jobs.create(request_id="r", digest=b"e"), RequestIdReused)


async def test_withdrawn_submit_leaves_nothing_and_frees_its_request_id() -> None:
    jobs = Jobs()
    first = await jobs.create(request_id="r", digest=b"d")
    assert (await jobs.withdraw(first)).state is JobState.CANCELED
    assert isinstance(await jobs.get(first.id), JobNotFound)
    assert await jobs.page() == []
    assert (await jobs.create(request_id="r", digest=b"other")).id != first.id


async def test_withdrawn_submit_spares_a_job_that_another_submit_relies_on() -> None:
    jobs = Jobs()
    first = await jobs.create(request_id="r", digest=b"d", submit_id="s1")
    await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    assert (await jobs.withdraw(first, "s2")).state is JobState.QUEUED
    assert await jobs.get(first.id) == first
    assert (await jobs.withdraw(first, "s1")).state is JobState.CANCELED
    assert isinstance(await jobs.get(first.id), JobNotFound)


async def test_withdrawal_that_arrives_twice_counts_once() -> None:
    jobs = Jobs()
    first = await jobs.create(request_id="r", digest=b"d", submit_id="s1")
    await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    for _ in range(2):
        assert (await jobs.withdraw(first, "s2")).state is JobState.QUEUED
    assert await jobs.get(first.id) == first


async def test_submit_that_arrives_twice_makes_one_record() -> None:
    jobs = Jobs()
    first = await jobs.create(submit_id="s1")
    jobs.clock.advance(5)
    assert await jobs.create(submit_id="s1") == first
    assert await jobs.create(submit_id="s2") != first
    assert len(await jobs.page()) == 2


async def test_submit_that_arrives_again_once_it_is_withdrawn_makes_none() -> None:
    jobs = Jobs()
    first = await jobs.create(submit_id="s1")
    await jobs.withdraw(first, "s1")
    assert isinstance(await jobs.create(submit_id="s1"), JobNotFound)
    assert await jobs.page() == []


async def test_submits_are_not_remembered_for_ever() -> None:
    jobs = Jobs()
    for number in range(100):
        await jobs.create(submit_id=f"s{number}")
        jobs.clock.advance(1)
    assert len(jobs.owner._submits) <= 21


async def test_submit_that_is_withdrawn_without_knowing_its_job_leaves_nothing() -> None:
    jobs = Jobs()
    first = await jobs.create(submit_id="s1")
    await jobs.withdraw_unanswered("s1")
    assert isinstance(await jobs.get(first.id), JobNotFound)
    assert await jobs.page() == []


async def test_submit_that_comes_after_its_withdrawal_makes_no_job() -> None:
    jobs = Jobs()
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
    comes_late: bool,
) -> None:
    jobs = Jobs()
    promised = await jobs.create(request_id="r", digest=b"d", submit_id="s1")
    if not comes_late:
        await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    await jobs.withdraw_unanswered("s2")
    if comes_late:
        await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    await jobs.withdraw_unanswered("s2")
    assert await jobs.get(promised.id) == promised


async def test_job_that_is_kept_out_of_the_queue_is_forgotten_whoever_relies_on_it() -> None:
    jobs = Jobs()
    first = await jobs.create(request_id="r", digest=b"d", submit_id="s1")
    await jobs.create(request_id="r", digest=b"d", submit_id="s2")
    assert (await jobs.forget(first)).state is JobState.CANCELED
    assert isinstance(await jobs.get(first.id), JobNotFound)
    assert (await jobs.create(request_id="r", digest=b"other", submit_id="s3")).id != first.id


async def test_job_that_runs_is_not_forgotten_as_one_that_is_not_in_the_queue() -> None:
    jobs = Jobs()
    job = await jobs.create()
    running = await jobs.step(job, JobState.RUNNING)
    assert await jobs.forget(job) == running
    assert await jobs.get(job.id) == running


async def test_withdrawn_submit_does_not_touch_a_running_job() -> None:
    jobs = Jobs()
    job = await jobs.create()
    running = await jobs.step(job, JobState.RUNNING)
    assert await jobs.withdraw(job) == running
    assert not (await jobs.get(job.id)).cancel_requested


async def test_rejected_step_changes_nothing_and_is_observed() -> None:
    jobs = Jobs()
    job = await jobs.create()
    await jobs.step(job, JobState.RUNNING, attempt=2)
    before = await jobs.get(job.id)
    assert isinstance(await jobs.step(job, JobState.DONE, attempt=1), StaleAttempt)
    assert await jobs.get(job.id) == before
    assert [error.reason for error in jobs.observer.rejections] == ["STALE_ATTEMPT"]


async def test_first_terminal_report_wins() -> None:
    jobs = Jobs()
    job = await jobs.create()
    await jobs.step(job, JobState.RUNNING)
    done = await jobs.step(job, JobState.DONE)
    jobs.clock.advance(1)
    await jobs.step(job, JobState.FAILED)
    assert await jobs.get(job.id) == done


async def test_pages_filter_by_state_and_kind_together() -> None:
    jobs = Jobs()
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


@pytest.mark.parametrize("filters", [{}, {"kind": "sleep"}, {"state": JobState.RUNNING}])
async def test_a_page_reads_no_more_than_it_returns(
    filters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Jobs()
    for number in range(2000):
        job = await jobs.create(("noop", "sleep")[number % 2])
        if number % 4 < 2:
            await jobs.step(job, JobState.RUNNING)
    read: list[str] = []

    class CountingDict(dict[str, Job]):
        def __getitem__(self, key: str) -> Job:
            read.append(key)
            return super().__getitem__(key)

    records = CountingDict(jobs.owner._jobs)
    monkeypatch.setattr(jobs.owner, "_jobs", records)
    assert len(await jobs.page(limit=10, **filters)) == 10
    assert len(read) == 10


async def test_counts_follow_every_step() -> None:
    jobs = Jobs()
    first, second, third = [await jobs.create() for _ in range(3)]
    await jobs.step(first, JobState.RUNNING)
    await jobs.step(first, JobState.FAILED)
    await jobs.cancel(second)
    await jobs.step(third, JobState.RUNNING)
    assert {state.name: count for state, count in jobs.owner.counts().items() if count} == {
        "FAILED": 1,
        "CANCELED": 1,
        "RUNNING": 1,
    }


async def test_request_ids_are_kept_as_long_as_their_jobs_however_many_there_are() -> None:
    jobs = Jobs()
    many = [NewJob("noop", f"r{number}", b"d") for number in range(5000)]
    first = await jobs.owner.create(many)
    for job in first[:1000]:
        await jobs.step(job, JobState.RUNNING)
        await jobs.step(job, JobState.DONE)
    jobs.clock.advance(30 * 24 * 3600)
    again = await jobs.owner.create(many)
    assert [job.id for job in again] == [job.id for job in first]
