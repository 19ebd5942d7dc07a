"""Starts and reports that fail half way: each job runs on, and ends once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from common.domain.errors import OwnerUnreachable
from common.domain.job import JobState
from tests.unit.common.flows.stack import DONE, SPEC, Stack


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


@pytest.mark.parametrize(("port", "method"), [("results", "store"), ("jobs", "transition")])
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
    await stack.run(stack.coordinator.inspect())
    assert (await stack.run(stack.client.result(job_id))).output == b"out"
    assert stack.queue_owner.leased() == stack.queue_owner.depth() == 0


async def test_entry_left_by_a_lost_acknowledgement_is_dropped_at_its_redelivery() -> None:
    stack = Stack()
    await stack.run(stack.client.submit(SPEC))
    (assignment,) = await stack.fetch()
    stack.queue.broken = {"remove": "before"}
    await stack.run(stack.coordinator.report("w", [(assignment.execution, DONE)]))
    await stack.run(stack.coordinator.inspect())
    stack.queue.broken = {}
    stack.clock.advance(7)
    assert await stack.fetch() == []
    await stack.run(stack.coordinator.inspect())
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
    reply = await stack.run(stack.coordinator.report("w", [(first.execution, DONE)]))
    (verdict,) = reply.verdicts
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
