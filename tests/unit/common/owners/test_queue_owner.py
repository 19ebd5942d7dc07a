"""The queue owner: order, leases, redelivery, limits, waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from common.domain.errors import QueueFull
from common.domain.job import Execution, JobSpec
from common.owners.queue import QueueOwner
from common.ports import NewEntry
from tests.support.owners import HandClock, Silence

LEASE = 6.0


class Queue:
    """A queue owner with a clock to turn, driven from synchronous code."""

    def __init__(self, max_jobs: int = 100, max_bytes: int = 1000) -> None:
        self.clock = HandClock()
        self.observer = Silence()
        self.owner = QueueOwner(self.clock, self.observer, LEASE, max_jobs, max_bytes)

    def enqueue(self, *job_ids: str, payload: bytes = b"") -> list[object]:
        entries = [NewEntry(job_id, JobSpec("noop", payload)) for job_id in job_ids]
        return list(asyncio.run(self.owner.enqueue(entries)))

    def lease(self, count: int) -> list[Execution]:
        dequeued = asyncio.run(self.owner.dequeue(count))
        return [assignment.execution for assignment in dequeued.assignments]

    def renew(self, *executions: Execution) -> list[Execution]:
        return asyncio.run(self.owner.dequeue(0, renew=executions)).lost

    def release(self, executions: Sequence[Execution]) -> None:
        asyncio.run(self.owner.dequeue(0, release=executions))


def test_jobs_leave_in_the_order_in_which_they_came() -> None:
    queue = Queue()
    queue.enqueue("a", "b", "c")
    assert [execution.job_id for execution in queue.lease(2)] == ["a", "b"]
    assert [execution.job_id for execution in queue.lease(2)] == ["c"]


def test_enqueuing_a_job_that_is_present_changes_nothing() -> None:
    queue = Queue()
    queue.enqueue("a", "b")
    assert queue.enqueue("a") == [None]
    assert queue.owner.depth() == 2


def test_a_leased_job_is_not_handed_out_again() -> None:
    queue = Queue()
    queue.enqueue("a")
    assert queue.lease(1) == [Execution("a", 1)]
    assert queue.lease(1) == []
    assert (queue.owner.depth(), queue.owner.leased()) == (0, 1)


def test_expired_lease_returns_job_to_the_front_under_the_next_attempt() -> None:
    queue = Queue()
    queue.enqueue("a", "b")
    queue.lease(1)
    queue.clock.advance(LEASE + 0.1)
    assert queue.lease(2) == [Execution("a", 2), Execution("b", 1)]
    assert queue.observer.redeliveries == [Execution("a", 1)]


def test_renewed_lease_does_not_expire() -> None:
    queue = Queue()
    queue.enqueue("a")
    (execution,) = queue.lease(1)
    for _ in range(5):
        queue.clock.advance(LEASE * 0.9)
        assert queue.renew(execution) == []
    assert queue.lease(1) == []


def test_renewal_of_an_ended_lease_is_reported_as_lost() -> None:
    queue = Queue()
    queue.enqueue("a")
    (execution,) = queue.lease(1)
    queue.clock.advance(LEASE + 0.1)
    assert queue.renew(execution) == [execution]


def test_released_jobs_come_first_and_in_their_old_order() -> None:
    queue = Queue()
    queue.enqueue("a", "b", "c")
    leased = queue.lease(2)
    queue.release(leased)
    assert queue.lease(3) == [Execution("a", 2), Execution("b", 2), Execution("c", 1)]


def test_release_by_an_earlier_attempt_is_ignored() -> None:
    queue = Queue()
    queue.enqueue("a")
    stale = queue.lease(1)
    queue.release(stale)
    current = queue.lease(1)
    queue.release(stale)
    assert queue.lease(1) == []
    assert queue.renew(*current) == []


def test_remove_ends_a_lease_permanently() -> None:
    queue = Queue()
    queue.enqueue("a")
    queue.lease(1)
    assert asyncio.run(queue.owner.remove(["a", "b"])) == [True, False]
    queue.clock.advance(LEASE * 2)
    assert queue.lease(1) == []


def test_a_full_queue_refuses_and_names_its_limit() -> None:
    queue = Queue(max_jobs=1)
    accepted, refused = queue.enqueue("a", "b")
    assert accepted is None
    assert isinstance(refused, QueueFull)
    assert refused.metadata == {"limit": "max_queued_jobs"}


def test_bytes_of_removed_jobs_count_no_longer() -> None:
    queue = Queue(max_bytes=10)
    queue.enqueue("a", payload=b"12345678")
    (refused,) = queue.enqueue("b", payload=b"12345678")
    assert isinstance(refused, QueueFull)
    asyncio.run(queue.owner.remove(["a"]))
    assert queue.enqueue("b", payload=b"12345678") == [None]


def test_age_is_that_of_the_first_in_line() -> None:
    queue = Queue()
    assert queue.owner.oldest_age() == 0
    queue.enqueue("a")
    queue.clock.advance(2)
    queue.enqueue("b")
    assert queue.owner.oldest_age() == pytest.approx(2)


def test_a_waiting_consumer_gets_a_job_the_moment_it_comes() -> None:
    async def scenario() -> list[Execution]:
        queue = Queue()
        waiting = asyncio.create_task(queue.owner.dequeue(1, max_wait=60))
        await asyncio.sleep(0)
        await queue.owner.enqueue([NewEntry("a", JobSpec("noop"))])
        dequeued = await asyncio.wait_for(waiting, 5)
        return [assignment.execution for assignment in dequeued.assignments]

    assert asyncio.run(scenario()) == [Execution("a", 1)]


def test_a_wake_up_of_a_consumer_that_left_goes_to_the_next() -> None:
    async def scenario() -> list[Execution]:
        queue = Queue()
        first = asyncio.create_task(queue.owner.dequeue(1, max_wait=60))
        second = asyncio.create_task(queue.owner.dequeue(1, max_wait=60))
        await asyncio.sleep(0)
        await queue.owner.enqueue([NewEntry("a", JobSpec("noop"))])
        first.cancel()
        dequeued = await asyncio.wait_for(second, 5)
        return [assignment.execution for assignment in dequeued.assignments]

    assert asyncio.run(scenario()) == [Execution("a", 1)]


def test_two_jobs_wake_two_consumers() -> None:
    async def scenario() -> list[str]:
        queue = Queue()
        waiting = [asyncio.create_task(queue.owner.dequeue(1, max_wait=60)) for _ in range(2)]
        await asyncio.sleep(0)
        await queue.owner.enqueue([NewEntry(name, JobSpec("noop")) for name in "ab"])
        dequeued = await asyncio.wait_for(asyncio.gather(*waiting), 5)
        return [each.assignments[0].execution.job_id for each in dequeued]

    assert asyncio.run(scenario()) == ["a", "b"]


def test_nobody_is_kept_waiting_by_a_queue_that_stops() -> None:
    async def scenario() -> int:
        queue = Queue()
        waiting = asyncio.create_task(queue.owner.dequeue(1, max_wait=60))
        await asyncio.sleep(0)
        queue.owner.stop_waiting()
        return len((await asyncio.wait_for(waiting, 5)).assignments)

    assert asyncio.run(scenario()) == 0


def test_one_dequeue_stays_within_the_size_of_a_message() -> None:
    queue = Queue(max_bytes=1 << 30)
    queue.enqueue("a", "b", "c", "d", "e", payload=bytes(1 << 20))
    assert len(queue.lease(5)) == 4
    assert len(queue.lease(5)) == 1
