"""Records that failed submits left behind: they are found, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from common.domain.errors import OwnerUnreachable, SubmitWithdrawn
from common.domain.job import JobState
from common.flows import leftovers
from common.ports import NewJob
from tests.unit.common.flows.stack import SPEC, Stack


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


async def test_job_that_the_queue_refuses_is_removed_before_its_repeat_is_refused() -> None:
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
