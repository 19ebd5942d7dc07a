"""Flows whose ports fail half way: nothing is promised that is not kept, nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from common.domain.errors import OwnerUnreachable, QueueFull, RequestIdReused, SubmitWithdrawn
from common.domain.ids import IdMint
from common.domain.job import JobSpec, JobState, Outcome
from common.flows import leftovers
from common.flows.background import Background
from common.flows.coordinator import WorkCoordinator
from common.flows.leftovers import Leftovers
from common.flows.public import OwnedTaskQueue
from common.owners.jobs import JobOwner
from common.owners.liveness import LivenessOwner
from common.owners.queue import QueueOwner
from common.owners.results import ResultOwner
from common.ports import NewJob
from tests.support.owners import HandClock, Silence

SPEC = JobSpec("noop")
DONE = Outcome(JobState.DONE, b"out")


class Faulty:
    """Stands before a port; a method named in ``broken`` fails, before or after it took effect."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.broken: dict[str, str] = {}

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **named: Any) -> Any:
            when = self.broken.get(name)
            if when == "before":
                raise OwnerUnreachable("owner", "cut")
            answer = await getattr(self._port, name)(*arguments, **named)
            if when == "after":
                raise OwnerUnreachable("owner", "cut")
            return answer

        return call


class Stack:
    """A whole task queue whose three ports can be made to fail."""

    def __init__(self, max_jobs: int = 10) -> None:
        self.clock = HandClock()
        observer = Silence()
        self.queue_owner = QueueOwner(self.clock, observer, 6.0, max_jobs, 1000)
        self.job_owner = JobOwner(IdMint(0, 0), self.clock, observer)
        self.jobs, self.queue = Faulty(self.job_owner), Faulty(self.queue_owner)
        self.results = Faulty(ResultOwner())
        self.background = Background()
        self.client = OwnedTaskQueue(self.jobs, self.queue, self.results, self.background)
        self.leftovers = Leftovers(self.jobs, self.queue)
        self.liveness = LivenessOwner(self.clock, 3.0)
        self.coordinator = WorkCoordinator(
            self.liveness, self.jobs, self.queue, self.results, 6.0, self.background
        )

    async def run(self, work: Awaitable[Any]) -> Any:
        """Wait for the work, and then for what it left to the background."""
        try:
            return await work
        finally:
            await self.background.drain()

    async def states(self) -> list[JobState]:
        return [job.state for job in (await self.run(self.client.list_jobs(None, "", 0, ""))).jobs]

    async def fetch(self) -> Any:
        return await self.run(self.coordinator.fetch("w", 5, 5, 0.0))


@pytest.mark.parametrize("when", ["before", "after"])
async def test_job_whose_enqueue_failed_is_withdrawn_and_never_runs(when: str) -> None:
    stack = Stack()
    stack.queue.broken = {"enqueue": when}
    with pytest.raises(OwnerUnreachable):
        await stack.run(stack.client.submit(SPEC))
    assert await stack.states() == []
    assert await stack.fetch() == []
    assert stack.queue_owner.depth() == 0


@pytest.mark.parametrize("when", ["before", "after"])
async def test_job_whose_creation_was_not_answered_is_withdrawn(when: str) -> None:
    stack = Stack()
    stack.jobs.broken = {"create": when}
    with pytest.raises(OwnerUnreachable):
        await stack.run(stack.client.submit(SPEC))
    assert await stack.states() == []


async def test_creation_that_comes_after_its_withdrawal_leaves_nothing() -> None:
    stack = Stack()
    create, late = stack.job_owner.create, []

    async def lost(new: Any) -> Any:
        late.append(new)
        raise OwnerUnreachable("job", "cut")

    stack.client._jobs.create = lost  # type: ignore[method-assign, assignment]
    with pytest.raises(OwnerUnreachable):
        await stack.run(stack.client.submit(SPEC))
    await stack.run(create(*late))
    assert await stack.states() == []


async def test_submit_that_is_refused_by_the_owner_withdraws_nothing() -> None:
    stack = Stack()
    await stack.run(stack.client.submit(SPEC, "r"))
    with pytest.raises(RequestIdReused):
        await stack.run(stack.client.submit(JobSpec("sleep"), "r"))
    assert await stack.states() == [JobState.QUEUED]


@pytest.mark.parametrize("call", ["create", "enqueue"])
async def test_record_whose_withdrawal_was_lost_too_is_forgotten_later(call: str) -> None:
    stack = Stack()
    promised = await stack.run(stack.client.submit(SPEC))
    stack.jobs.broken = {"withdraw": "before"}
    getattr(stack, "jobs" if call == "create" else "queue").broken[call] = (
        "after" if call == "create" else "before"
    )
    with pytest.raises(OwnerUnreachable):
        await stack.run(stack.client.submit(SPEC, "r"))
    stack.jobs.broken, stack.queue.broken = {}, {}
    assert await stack.states() == [JobState.QUEUED] * 2

    await stack.run(stack.leftovers.round())
    assert await stack.states() == [JobState.QUEUED] * 2, "it may be of a submit that is under way"
    await stack.run(stack.leftovers.round())

    (left,) = (await stack.run(stack.client.list_jobs(None, "", 0, ""))).jobs
    assert left.id == promised
    assert await stack.run(stack.client.submit(SPEC, "r")) != promised


async def test_submit_that_comes_too_late_for_its_record_is_refused_and_can_be_repeated() -> None:
    stack = Stack()
    enqueue = stack.queue_owner.enqueue

    async def overtaken(entries: Any) -> Any:
        """While the enqueue is under way, for very long, its record is found and forgotten."""
        stack.client._queue.enqueue = enqueue  # type: ignore[method-assign]
        await stack.leftovers.round()
        await stack.leftovers.round()
        return await enqueue(entries)

    stack.client._queue.enqueue = overtaken  # type: ignore[method-assign]
    with pytest.raises(SubmitWithdrawn) as caught:
        await stack.run(stack.client.submit(SPEC, "r"))
    assert caught.value.definite
    assert await stack.states() == []
    assert stack.queue_owner.depth() == 0
    await stack.run(stack.client.submit(SPEC, "r"))
    assert await stack.states() == [JobState.QUEUED]


async def test_job_that_the_queue_keeps_out_is_gone_before_its_repeat_is_refused() -> None:
    stack = Stack()
    stack.jobs.broken = {"withdraw": "before", "forget": "before"}
    stack.queue.broken = {"enqueue": "before"}
    with pytest.raises(OwnerUnreachable):
        await stack.run(stack.client.submit(SPEC, "r"))
    stack.queue.broken = {}
    await stack.run(stack.leftovers.round())
    with pytest.raises(OwnerUnreachable):
        await stack.run(stack.leftovers.round())
    stack.jobs.broken = {}
    with pytest.raises(SubmitWithdrawn):
        await stack.run(stack.client.submit(SPEC, "r"))
    await stack.run(stack.client.submit(SPEC, "r"))
    assert await stack.states() == [JobState.QUEUED]


async def test_jobs_that_wait_for_long_or_run_are_no_leftovers() -> None:
    stack = Stack()
    for _ in range(3):
        await stack.run(stack.client.submit(SPEC))
    await stack.run(stack.coordinator.fetch("w", 1, 1, 0.0))
    for _ in range(2 * leftovers.AFRESH):
        await stack.run(stack.leftovers.round())
        stack.clock.advance(leftovers.PAUSE)
        await stack.run(stack.coordinator.heartbeat("w", 1, stack.liveness.held()))
    assert sorted(await stack.states()) == [JobState.QUEUED] * 2 + [JobState.RUNNING]


async def test_each_record_that_waits_is_asked_about_once_and_all_of_them_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leftovers, "PAGE", 2)
    stack = Stack()
    asked: list[list[str]] = []
    keep_out = stack.queue_owner.keep_out

    async def noted(job_ids: Any) -> Any:
        asked.append(list(job_ids))
        return await keep_out(job_ids)

    stack.queue_owner.keep_out = noted  # type: ignore[method-assign]
    first = [await stack.run(stack.client.submit(SPEC)) for _ in range(5)]
    for _ in range(3):
        await stack.run(stack.leftovers.round())
    assert asked == [[first[4], first[3]], [first[2], first[1]], [first[0]]]
    later = await stack.run(stack.client.submit(SPEC))
    for _ in range(3):
        await stack.run(stack.leftovers.round())
    assert asked[3:] == [[later]]
    for _ in range(leftovers.AFRESH - 6):
        await stack.run(stack.leftovers.round())
    assert sorted(job_id for page in asked[4:] for job_id in page) == [*first, later]


async def test_leftovers_are_found_though_an_owner_was_out_of_reach_meanwhile() -> None:
    stack = Stack()
    await stack.run(stack.job_owner.create([NewJob("noop")]))
    await stack.run(stack.leftovers.round())
    stack.queue.broken = {"keep_out": "after"}
    with pytest.raises(OwnerUnreachable):
        await stack.run(stack.leftovers.round())
    stack.queue.broken = {}
    await stack.run(stack.leftovers.round())
    assert await stack.states() == []


async def test_job_refused_by_a_full_queue_is_withdrawn() -> None:
    stack = Stack(max_jobs=1)
    await stack.run(stack.client.submit(SPEC))
    with pytest.raises(QueueFull):
        await stack.run(stack.client.submit(SPEC))
    assert await stack.states() == [JobState.QUEUED]


async def test_repeat_after_a_failed_enqueue_is_accepted_as_a_new_job() -> None:
    stack = Stack()
    stack.queue.broken = {"enqueue": "before"}
    with pytest.raises(OwnerUnreachable):
        await stack.run(stack.client.submit(SPEC, "r"))
    stack.queue.broken = {}
    job_id = await stack.run(stack.client.submit(SPEC, "r"))
    assert (await stack.run(stack.client.status(job_id))).state is JobState.QUEUED


async def test_submit_goes_on_though_its_client_has_gone() -> None:
    stack = Stack()

    async def abandon() -> None:
        created = asyncio.Event()
        go_on = asyncio.Event()
        create = stack.jobs.create

        async def slow_create(new: Any) -> Any:
            answer = await create(new)
            created.set()
            await go_on.wait()
            return answer

        stack.client._jobs.create = slow_create
        call = asyncio.create_task(stack.client.submit(SPEC))
        await created.wait()
        call.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await call

    await stack.run(abandon())
    assert await stack.states() == [JobState.QUEUED]
    assert stack.queue_owner.depth() == 1


async def test_leases_are_given_back_if_the_start_cannot_be_recorded() -> None:
    stack = Stack()
    job_id = await stack.run(stack.client.submit(SPEC))
    stack.jobs.broken = {"transition": "before"}
    with pytest.raises(OwnerUnreachable):
        await stack.fetch()
    stack.jobs.broken = {}
    (assignment,) = await stack.fetch()
    assert assignment.execution == (job_id, 2)


async def test_start_that_was_recorded_but_not_answered_runs_again_under_the_next_attempt() -> None:
    stack = Stack()
    job_id = await stack.run(stack.client.submit(SPEC))
    stack.jobs.broken = {"transition": "after"}
    with pytest.raises(OwnerUnreachable):
        await stack.fetch()
    stack.jobs.broken = {}
    (assignment,) = await stack.fetch()
    assert (
        (await stack.run(stack.client.status(job_id))).attempt == assignment.execution.attempt == 2
    )


@pytest.mark.parametrize(
    ("port", "method"), [("results", "store"), ("jobs", "transition"), ("queue", "remove")]
)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_report_that_failed_half_way_can_be_repeated(
    port: str, method: str, when: str
) -> None:
    stack = Stack()
    job_id = await stack.run(stack.client.submit(SPEC))
    (assignment,) = await stack.fetch()
    report = [(assignment.execution, DONE)]
    getattr(stack, port).broken = {method: when}
    with pytest.raises(OwnerUnreachable):
        await stack.run(stack.coordinator.report("w", report))
    getattr(stack, port).broken = {}
    await stack.run(stack.coordinator.report("w", report))
    assert (await stack.run(stack.client.result(job_id))).output == b"out"
    assert stack.queue_owner.leased() == stack.queue_owner.depth() == 0


async def test_entry_left_by_a_lost_acknowledgement_is_dropped_at_its_redelivery() -> None:
    stack = Stack()
    await stack.run(stack.client.submit(SPEC))
    (assignment,) = await stack.fetch()
    stack.queue.broken = {"remove": "before"}
    with pytest.raises(OwnerUnreachable):
        await stack.run(stack.coordinator.report("w", [(assignment.execution, DONE)]))
    stack.queue.broken = {}
    stack.clock.advance(7)
    assert await stack.fetch() == []
    assert await stack.states() == [JobState.DONE]
    assert stack.queue_owner.leased() == stack.queue_owner.depth() == 0


async def test_dead_workers_job_is_handed_to_the_next_worker() -> None:
    stack = Stack()
    await stack.run(stack.client.submit(SPEC))
    (first,) = await stack.fetch()
    stack.clock.advance(3.1)
    await stack.run(stack.coordinator.inspect())
    (second,) = await stack.run(stack.coordinator.fetch("other", 1, 1, 0.0))
    assert second.execution == (first.execution.job_id, 2)
    (verdict,) = await stack.run(stack.coordinator.report("w", [(first.execution, DONE)]))
    assert verdict.reason == "STALE_ATTEMPT"


async def test_job_that_outlives_its_lease_is_not_run_twice_while_its_worker_lives() -> None:
    stack = Stack()
    await stack.run(stack.client.submit(SPEC))
    (assignment,) = await stack.fetch()
    for _ in range(10):
        stack.clock.advance(2)
        await stack.run(stack.coordinator.heartbeat("w", 1, [assignment.execution]))
        await stack.run(stack.coordinator.inspect())
        assert await stack.run(stack.coordinator.fetch("other", 1, 1, 0.0)) == []


async def test_watch_survives_a_queue_out_of_reach() -> None:
    stack = Stack()
    await stack.run(stack.client.submit(SPEC))
    await stack.fetch()
    stack.queue.broken = {"dequeue": "before"}
    await stack.run(stack.coordinator.inspect())


async def test_cancel_is_answered_though_the_queue_is_out_of_reach() -> None:
    stack = Stack()
    job_id = await stack.run(stack.client.submit(SPEC))
    stack.queue.broken = {"remove": "before"}
    assert (await stack.run(stack.client.cancel(job_id))).state is JobState.CANCELED
    stack.queue.broken = {}
    assert await stack.fetch() == []


async def test_coordinator_that_stops_answers_waiting_fetches_and_holds_no_lease() -> None:
    stack = Stack()

    waiting = asyncio.create_task(stack.coordinator.fetch("w", 1, 1, 60.0))
    for _ in range(10):  # turns of the loop, until the fetch waits
        await asyncio.sleep(0)
    stack.coordinator.stop_waiting()
    answer = await asyncio.wait_for(waiting, 5)
    await stack.client.submit(SPEC)
    assert answer == []
    assert (stack.queue_owner.depth(), stack.queue_owner.leased()) == (1, 0)


async def test_refusal_is_answered_only_once_nothing_is_left_of_the_submit() -> None:
    stack = Stack(max_jobs=1)
    await stack.run(stack.client.submit(SPEC))

    with pytest.raises(QueueFull):
        await stack.client.submit(SPEC)
    assert sum(stack.job_owner.counts().values()) == 1


async def test_refusal_that_could_not_be_made_good_is_no_definite_one() -> None:
    stack = Stack(max_jobs=1)
    await stack.run(stack.client.submit(SPEC))
    stack.jobs.broken = {"withdraw": "before"}
    with pytest.raises(OwnerUnreachable) as caught:
        await stack.run(stack.client.submit(SPEC))
    assert not caught.value.definite


async def test_start_that_comes_too_late_leaves_the_entry_to_the_attempt_that_runs() -> None:
    stack = Stack()
    await stack.run(stack.client.submit(SPEC))
    transition = stack.job_owner.transition

    async def overtaken(steps: Any) -> Any:
        """While the first start is under way its lease ends, and a later attempt starts."""
        stack.job_owner.transition = transition  # type: ignore[method-assign]
        stack.clock.advance(6.1)
        assert len(await stack.coordinator.fetch("quick", 1, 1, 0.0)) == 1
        return await transition(steps)

    stack.job_owner.transition = overtaken  # type: ignore[method-assign]
    assert await stack.run(stack.coordinator.fetch("late", 1, 1, 0.0)) == []
    stack.clock.advance(6.1)
    await stack.run(stack.coordinator.inspect())
    (again,) = await stack.fetch()
    assert again.execution.attempt == 3
