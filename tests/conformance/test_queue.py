"""The rules of queue membership, in every store: order, leases, redelivery, limits, waiting."""

from __future__ import annotations

import asyncio

import pytest

from common.domain.errors import QueueFull, SubmitWithdrawn
from common.domain.job import Execution
from tests.conformance.conftest import Begin
from tests.support.stores import LEASE, OpenQueue, Queue


async def test_jobs_leave_in_the_order_in_which_they_came(queue: Queue) -> None:
    await queue.enqueue("a", "b", "c")
    assert [execution.job_id for execution in await queue.lease(2)] == ["a", "b"]
    assert [execution.job_id for execution in await queue.lease(2)] == ["c"]


async def test_enqueuing_a_job_that_is_present_changes_nothing(queue: Queue) -> None:
    await queue.enqueue("a", "b")
    assert await queue.enqueue("a") == [None]
    assert await queue.depth() == 2


async def test_a_leased_job_is_not_handed_out_again(queue: Queue) -> None:
    await queue.enqueue("a")
    assert await queue.lease(1) == [Execution("a", 1)]
    assert await queue.lease(1) == []
    assert ((await queue.depth()), (await queue.leased())) == (0, 1)


async def test_expired_lease_returns_job_to_the_front_under_the_next_attempt(queue: Queue) -> None:
    await queue.enqueue("a", "b")
    await queue.lease(1)
    queue.clock.advance(LEASE + 0.1)
    assert await queue.lease(2) == [Execution("a", 2), Execution("b", 1)]
    assert queue.observer.redeliveries == [Execution("a", 1)]


async def test_renewed_lease_does_not_expire(queue: Queue) -> None:
    await queue.enqueue("a")
    (execution,) = await queue.lease(1)
    for _ in range(5):
        queue.clock.advance(LEASE * 0.9)
        assert await queue.renew(execution) == []
    assert await queue.lease(1) == []


async def test_renewal_of_an_ended_lease_is_reported_as_lost(queue: Queue) -> None:
    await queue.enqueue("a")
    (execution,) = await queue.lease(1)
    queue.clock.advance(LEASE + 0.1)
    assert await queue.renew(execution) == [execution]


async def test_released_jobs_come_first_and_in_their_old_order(queue: Queue) -> None:
    await queue.enqueue("a", "b", "c")
    leased = await queue.lease(2)
    await queue.release(leased)
    assert await queue.lease(3) == [Execution("a", 2), Execution("b", 2), Execution("c", 1)]


async def test_release_by_an_earlier_attempt_is_ignored(queue: Queue) -> None:
    await queue.enqueue("a")
    stale = await queue.lease(1)
    await queue.release(stale)
    current = await queue.lease(1)
    await queue.release(stale)
    assert await queue.lease(1) == []
    assert await queue.renew(*current) == []


async def test_expired_leases_are_shown_again_ahead_of_those_that_were_never_leased(
    queue: Queue,
) -> None:
    await queue.enqueue("a", "b", "c", "d")
    await queue.lease(1)
    queue.clock.advance(1)
    await queue.lease(2)
    queue.clock.advance(LEASE + 0.1)
    again = [execution.job_id for execution in await queue.lease(4)]
    assert sorted(again[:3]) == ["a", "b", "c"]
    assert again[3] == "d"


async def test_a_job_is_kept_out_for_an_hour_unless_it_is_there(queue: Queue) -> None:
    await queue.enqueue("a")
    assert await queue.owner.keep_out(["a", "b"]) == [False, True]
    queue.clock.advance(3600)
    (refused,) = await queue.enqueue("b")
    assert isinstance(refused, SubmitWithdrawn)
    queue.clock.advance(0.001)
    await queue.owner.sample()  # what is over goes at the latest when a store does what is due
    assert await queue.enqueue("b") == [None]


async def test_remove_ends_a_lease_permanently(queue: Queue) -> None:
    await queue.enqueue("a")
    await queue.lease(1)
    assert await queue.owner.remove(["a", "b"]) == [True, False]
    queue.clock.advance(LEASE * 2)
    assert await queue.lease(1) == []


async def test_a_full_queue_refuses_and_names_its_limit(open_queue: OpenQueue) -> None:
    queue = open_queue(max_jobs=1)
    accepted, refused = await queue.enqueue("a", "b")
    assert accepted is None
    assert isinstance(refused, QueueFull)
    assert refused.metadata == {"limit": "max_queued_jobs"}
    assert await queue.lease(2) == [Execution("a", 1)]


async def test_bytes_of_removed_jobs_count_no_longer(open_queue: OpenQueue) -> None:
    queue = open_queue(max_bytes=10)
    await queue.enqueue("a", payload=b"12345678")
    (refused,) = await queue.enqueue("b", payload=b"12345678")
    assert isinstance(refused, QueueFull)
    assert refused.metadata == {"limit": "max_queued_bytes"}
    assert await queue.depth() == 1
    await queue.owner.remove(["a"])
    assert await queue.enqueue("b", payload=b"12345678") == [None]


async def test_age_is_that_of_the_first_in_line(queue: Queue) -> None:
    assert await queue.oldest_age() == 0
    await queue.enqueue("a")
    queue.clock.advance(2)
    await queue.enqueue("b")
    assert await queue.oldest_age() == pytest.approx(2)


async def test_a_waiting_consumer_gets_a_job_the_moment_it_comes(
    queue: Queue, begin_to_wait: Begin
) -> None:
    waiting = await begin_to_wait(queue.owner)
    await queue.enqueue("a")
    dequeued = await asyncio.wait_for(waiting, 5)
    assert [assignment.execution for assignment in dequeued.assignments] == [Execution("a", 1)]


async def test_a_wake_up_of_a_consumer_that_left_goes_to_the_next(
    queue: Queue, begin_to_wait: Begin
) -> None:
    first, second = await begin_to_wait(queue.owner), await begin_to_wait(queue.owner)
    await queue.enqueue("a")
    first.cancel()
    dequeued = await asyncio.wait_for(second, 5)
    # The first may have had it already, in a store that was on its way to answer.
    assert [assignment.execution.job_id for assignment in dequeued.assignments] == ["a"]


async def test_two_jobs_wake_two_consumers(queue: Queue, begin_to_wait: Begin) -> None:
    waiting = [await begin_to_wait(queue.owner) for _ in range(2)]
    await queue.enqueue("a", "b")
    dequeued = await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert sorted(each.assignments[0].execution.job_id for each in dequeued) == ["a", "b"]


async def test_what_is_released_wakes_a_consumer(queue: Queue, begin_to_wait: Begin) -> None:
    await queue.enqueue("a")
    leased = await queue.lease(1)
    waiting = await begin_to_wait(queue.owner)
    await queue.release(leased)
    dequeued = await asyncio.wait_for(waiting, 5)
    assert [assignment.execution for assignment in dequeued.assignments] == [Execution("a", 2)]


async def test_nobody_is_kept_waiting_by_a_queue_that_stops(
    queue: Queue, begin_to_wait: Begin
) -> None:
    waiting = await begin_to_wait(queue.owner)
    queue.owner.stop_waiting()
    assert len((await asyncio.wait_for(waiting, 5)).assignments) == 0


async def test_one_dequeue_stays_within_the_size_of_a_message(open_queue: OpenQueue) -> None:
    queue = open_queue(max_bytes=1 << 30)
    await queue.enqueue("a", "b", "c", "d", "e", payload=bytes(1 << 20))
    assert len(await queue.lease(5)) == 4
    assert len(await queue.lease(5)) == 1
