"""Steps over jobs, queue and results at once, in every store that has all three."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from common.domain.errors import (
    JobNotFound,
    QueueFull,
    RequestIdReused,
    ResultLost,
    StaleAttempt,
    SubmitWithdrawn,
    TransitionRejected,
)
from common.domain.job import Execution, Failure, Job, JobSpec, JobState, Outcome
from common.ports import Exchanged, NewJob, Results, SharedState, Submission
from tests.conformance.conftest import REMOTE
from tests.support.owners import HandClock
from tests.support.stores import Jobs, Queue

pytestmark = pytest.mark.parametrize("opened", REMOTE, indirect=True)
DONE = Outcome(JobState.DONE, b"out")
LATE = Outcome(JobState.DONE, b"another")


@dataclass
class Shared:
    """One who shares the state: all of it in one store."""

    jobs: Jobs
    queue: Queue
    results: Results
    state: SharedState

    async def accept(self, request_id: str = "", payload: bytes = b"", **given: Any) -> Any:
        new = NewJob("noop", request_id, **given)
        (answer,) = await self.state.accept([Submission(new, JobSpec("noop", payload), "c")])
        return answer

    async def exchange(
        self, *reports: tuple[Execution, Outcome], most: int = 0, remove: tuple[str, ...] = ()
    ) -> Exchanged:
        return await self.state.exchange("w", reports, most, remove)

    async def take(self, most: int = 1) -> list[Execution]:
        return [each.execution for each in (await self.exchange(most=most)).leased]


@pytest.fixture
async def open_shared(open_store: Any, clock: HandClock) -> Any:
    """Opens another one who shares the state, with settings by name."""
    numbers = iter(range(8))

    def open_(**given: Any) -> Shared:
        number = next(numbers)
        store = open_store(name=f"store-{number}", **given)
        jobs, queue = Jobs(store, clock, number), Queue(store, clock)
        results = store.results()
        state = store.shared()
        assert state is not None
        return Shared(jobs, queue, results, state)

    return open_


@pytest.fixture
async def shared(open_shared: Any) -> Shared:
    return open_shared()


async def test_accepted_job_waits_and_has_its_entry(shared: Shared) -> None:
    job = await shared.accept(payload=b"in")
    assert await shared.jobs.get(job.id) == job
    assert job.state is JobState.QUEUED
    (assignment,) = (await shared.queue.owner.dequeue(1)).assignments
    assert assignment.execution == Execution(job.id, 1)
    assert assignment.spec == JobSpec("noop", b"in")
    assert assignment.correlation_id == "c"


async def test_job_that_finds_no_room_in_the_queue_makes_no_record(open_shared: Any) -> None:
    shared = open_shared(max_queued_jobs=1)
    kept = await shared.accept()
    assert isinstance(await shared.accept(), QueueFull)
    assert await shared.jobs.page() == [kept.id]


async def test_jobs_accepted_together_are_in_line_in_their_order(shared: Shared) -> None:
    requests = [f"r{number}" for number in range(20)]
    wanted = [Submission(NewJob("noop", each), JobSpec("noop", b""), "c") for each in requests]
    accepted = await shared.state.accept(wanted)
    assert [each.job_id for each in await shared.take(20)] == [job.id for job in accepted]


async def test_room_is_there_again_once_a_job_has_ended(open_shared: Any) -> None:
    shared = open_shared(max_queued_jobs=1)
    await shared.accept()
    (execution,) = await shared.take()
    await shared.exchange((execution, DONE))
    assert isinstance(await shared.accept(), Job)


async def test_repeat_of_a_request_id_finds_the_first_job_and_its_one_entry(shared: Shared) -> None:
    first = await shared.accept("r", digest=b"d", submit_id="s1")
    again = await shared.accept("r", digest=b"d", submit_id="s2")
    assert again.id == first.id
    assert await shared.queue.lease(2) == [Execution(first.id, 1)]


async def test_repeat_finds_its_job_whatever_has_become_of_it(shared: Shared) -> None:
    first = await shared.accept("r", digest=b"d", submit_id="s1")
    (execution,) = await shared.take()
    await shared.exchange((execution, DONE))
    again = await shared.accept("r", digest=b"d", submit_id="s2")
    assert (again.id, again.state) == (first.id, JobState.DONE)
    assert await shared.queue.lease(1) == []


async def test_repeat_is_no_job_more_for_a_queue_that_is_full(open_shared: Any) -> None:
    shared = open_shared(max_queued_jobs=1)
    first = await shared.accept("r", digest=b"d", submit_id="s1")
    assert (await shared.accept("r", digest=b"d", submit_id="s2")).id == first.id
    assert isinstance(await shared.accept("r2", digest=b"d", submit_id="s3"), QueueFull)


async def test_repeat_that_needs_no_room_relies_on_its_job(open_shared: Any) -> None:
    shared = open_shared(max_queued_jobs=1)
    first = await shared.accept("r", digest=b"d", submit_id="s1")
    await shared.accept("r", digest=b"d", submit_id="s2")
    await shared.jobs.withdraw(first, "s1")
    assert (await shared.jobs.get(first.id)).state is JobState.QUEUED
    await shared.jobs.withdraw(first, "s2")
    assert isinstance(await shared.jobs.get(first.id), JobNotFound)


async def test_request_id_with_another_job_is_refused_without_an_entry(shared: Shared) -> None:
    await shared.accept("r", digest=b"d", submit_id="s1")
    assert isinstance(await shared.accept("r", digest=b"e", submit_id="s2"), RequestIdReused)
    assert await shared.queue.depth() == 1


async def test_submit_that_was_withdrawn_before_it_came_is_not_accepted(shared: Shared) -> None:
    await shared.jobs.withdraw_unanswered("s")
    assert isinstance(await shared.accept(submit_id="s"), SubmitWithdrawn)
    assert await shared.queue.depth() == 0


async def test_submit_that_comes_twice_is_accepted_once(shared: Shared) -> None:
    first = await shared.accept(submit_id="s")
    assert (await shared.accept(submit_id="s")).id == first.id
    assert await shared.queue.depth() == 1


async def test_crowd_is_answered_each_in_its_place(open_shared: Any) -> None:
    shared = open_shared(max_queued_jobs=2)
    spec = JobSpec("noop")
    news = [
        NewJob("noop", "r", b"d", "s1"),
        NewJob("noop", "r", b"e", "s2"),
        NewJob("noop", "r", b"d", "s3"),
        NewJob("noop", "", b"", "s4"),
        NewJob("noop", "", b"", "s5"),
    ]
    first, other, again, second, third = await shared.state.accept(
        [Submission(each, spec) for each in news]
    )
    assert isinstance(first, Job)
    assert isinstance(other, RequestIdReused)
    assert isinstance(again, Job)
    assert again.id == first.id
    assert isinstance(second, Job)
    assert isinstance(third, QueueFull)
    assert await shared.queue.depth() == 2


async def test_exchange_ends_a_job_and_starts_the_next(shared: Shared) -> None:
    first, second = await shared.accept(), await shared.accept()
    (execution,) = await shared.take()
    exchanged = await shared.exchange((execution, DONE), most=2)
    (ended,) = exchanged.ends
    assert (ended.id, ended.state, ended.attempt) == (first.id, JobState.DONE, 1)
    assert await shared.results.get([execution]) == [b"out"]
    assert [each.execution for each in exchanged.leased] == [Execution(second.id, 1)]
    assert [(each.id, each.state, each.worker) for each in exchanged.starts] == [
        (second.id, JobState.RUNNING, "w")
    ]
    assert await shared.jobs.get(second.id) == exchanged.starts[0]
    assert await shared.queue.owner.remove([first.id, second.id]) == [False, True]


async def test_failure_is_kept_and_has_no_output(shared: Shared) -> None:
    await shared.accept()
    (execution,) = await shared.take()
    failed = Outcome(JobState.FAILED, b"", Failure("X", "why"))
    (job,) = (await shared.exchange((execution, failed))).ends
    assert (job.state, job.failure) == (JobState.FAILED, Failure("X", "why"))
    assert await shared.jobs.get(job.id) == job
    (output,) = await shared.results.get([execution])
    assert isinstance(output, ResultLost)


async def test_first_report_of_a_job_wins(shared: Shared) -> None:
    await shared.accept()
    (execution,) = await shared.take()
    (done,) = (await shared.exchange((execution, DONE))).ends
    for late in (
        Outcome(JobState.FAILED, b"", Failure("X", "why")),
        LATE,
    ):
        await shared.exchange((execution, late))
        assert await shared.jobs.get(execution.job_id) == done
        assert await shared.results.get([execution]) == [b"out"]


async def test_late_report_is_refused_and_leaves_the_entry_to_the_later_attempt(
    shared: Shared, clock: HandClock
) -> None:
    job = await shared.accept()
    (first,) = await shared.take()
    clock.advance(7)
    (second,) = await shared.take()
    assert second == Execution(job.id, 2)
    (refused,) = (await shared.exchange((first, DONE))).ends
    assert isinstance(refused, StaleAttempt)
    running = await shared.jobs.get(job.id)
    assert (running.state, running.attempt) == (JobState.RUNNING, 2)
    assert await shared.queue.leased() == 1
    (ended,) = (await shared.exchange((second, DONE))).ends
    assert (ended.state, ended.attempt) == (JobState.DONE, 2)


async def test_late_report_beside_that_of_the_later_attempt_costs_no_output(
    shared: Shared, clock: HandClock
) -> None:
    await shared.accept()
    (first,) = await shared.take()
    clock.advance(7)
    (second,) = await shared.take()
    refused, ended = (await shared.exchange((first, LATE), (second, DONE))).ends
    assert isinstance(refused, StaleAttempt)
    assert (ended.state, ended.attempt) == (JobState.DONE, 2)
    assert await shared.results.get([second]) == [b"out"]


async def test_job_that_was_canceled_is_leased_and_does_not_start(shared: Shared) -> None:
    job = await shared.accept()
    await shared.jobs.cancel(job)
    exchanged = await shared.exchange(most=1)
    assert [each.execution.job_id for each in exchanged.leased] == [job.id]
    assert [type(each) for each in exchanged.starts] == [TransitionRejected]
    assert (await shared.jobs.get(job.id)).state is JobState.CANCELED


async def test_job_that_was_forgotten_is_leased_and_does_not_start(shared: Shared) -> None:
    job = await shared.accept(submit_id="s")
    await shared.jobs.withdraw_unanswered("s")
    exchanged = await shared.exchange(most=1)
    assert [each.execution.job_id for each in exchanged.leased] == [job.id]
    assert [type(each) for each in exchanged.starts] == [JobNotFound]


async def test_entries_named_are_removed_before_others_are_leased(shared: Shared) -> None:
    first, second = await shared.accept(), await shared.accept()
    exchanged = await shared.exchange(most=2, remove=(first.id,))
    assert [each.execution.job_id for each in exchanged.leased] == [second.id]


async def test_report_of_an_unknown_job_is_answered_as_that(shared: Shared) -> None:
    unknown = Execution("0" * 16, 1)
    (answer,) = (await shared.exchange((unknown, DONE))).ends
    assert isinstance(answer, JobNotFound)


async def test_those_who_share_a_store_never_start_a_job_twice(open_shared: Any) -> None:
    nodes = [open_shared() for _ in range(3)]
    for _ in range(10):
        await asyncio.gather(*(node.accept() for node in nodes))
    taken: list[Execution] = []

    async def work(node: Shared) -> None:
        held: list[Execution] = []
        while True:
            exchanged = await node.exchange(*((each, DONE) for each in held), most=2)
            assert all(isinstance(each, Job) for each in (*exchanged.ends, *exchanged.starts))
            held = [each.execution for each in exchanged.leased]
            taken.extend(held)
            if not held:
                return

    await asyncio.gather(*map(work, nodes))
    assert len(taken) == len(set(taken)) == 30
    assert await nodes[0].jobs.page(state=JobState.DONE, limit=100) == sorted(
        (each.job_id for each in taken), reverse=True
    )
