"""Submits and cancels that fail half way: nothing is promised that is not kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from common import context
from common.domain.errors import (
    DeadlineAlreadyPast,
    DeadlineExceeded,
    OwnerUnreachable,
    QueueFull,
    RequestIdReused,
)
from common.domain.job import JobSpec, JobState
from tests.unit.common.flows.stack import SPEC, Stack


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


async def test_submit_goes_on_though_its_client_has_disconnected() -> None:
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


async def test_cancel_is_answered_though_the_queue_is_out_of_reach() -> None:
    stack = Stack()
    job_id = await stack.run(stack.client.submit(SPEC))
    stack.queue.broken = {"remove": "before"}
    assert (await stack.run(stack.client.cancel(job_id))).state is JobState.CANCELED
    stack.queue.broken = {}
    assert await stack.fetch() == []


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


async def test_job_whose_enqueue_expired_unsent_is_withdrawn_in_time_of_its_own() -> None:
    stack = Stack()
    withdraw = stack.job_owner.withdraw

    async def expires(_: Any) -> Any:
        """Nothing is sent until the time of the submit is over."""
        await asyncio.sleep(context.remaining(1.0) + 0.001)
        raise DeadlineAlreadyPast

    async def in_time(*arguments: Any) -> Any:
        if context.remaining(1.0) <= 0:
            raise DeadlineExceeded("job")
        return await withdraw(*arguments)

    stack.queue_owner.enqueue = expires  # type: ignore[method-assign]
    stack.job_owner.withdraw = in_time  # type: ignore[method-assign]
    stack.background._timeout = 0.02
    with pytest.raises(DeadlineAlreadyPast):
        await stack.run(stack.client.submit(SPEC))
    assert await stack.states() == []
