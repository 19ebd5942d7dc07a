"""Work that outlives its call: begun in the call's task, finished whatever becomes of the call."""

from __future__ import annotations

import asyncio
import logging

import pytest

from common import context
from common.domain.errors import TaskQueueError
from common.flows.background import Background


async def test_work_that_waits_for_nothing_needs_no_task() -> None:
    async def work() -> set[asyncio.Task[object]]:
        return asyncio.all_tasks()

    assert await Background().finish(work()) == {asyncio.current_task()}


@pytest.mark.parametrize("seconds", [0, 0.001])
async def test_limit_of_time_in_the_work_ends_the_work_and_not_its_call(seconds: float) -> None:
    async def work() -> str:
        try:
            async with asyncio.timeout(seconds):
                await asyncio.Event().wait()
        except TimeoutError:
            return "went on"
        return "waited"

    assert await Background().finish(work()) == "went on"


async def test_work_goes_on_when_its_call_is_canceled_and_is_waited_for_at_the_end() -> None:
    background = Background()
    released = asyncio.Event()
    done: list[str] = []

    async def work() -> None:
        done.append("begun")
        await released.wait()
        done.append("between")
        await asyncio.sleep(0)
        done.append(context.correlation_id())

    async def handler() -> None:
        with context.call("id-of-the-call", 5.0, "client"):
            await background.finish(work())

    call = asyncio.create_task(handler())
    await asyncio.sleep(0)
    assert done == ["begun"]
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    released.set()
    await background.drain()
    assert done == ["begun", "between", "id-of-the-call"]


@pytest.mark.parametrize("waits", [False, True])
async def test_answers_errors_and_the_calls_own_context_are_as_if_it_had_been_awaited(
    waits: bool,
) -> None:
    background = Background(timeout=1.0)

    async def work(fails: bool) -> tuple[str, str, bool]:
        if waits:
            await asyncio.sleep(0)
        if fails:
            raise TaskQueueError("no")
        return context.caller(), context.correlation_id(), context.remaining(60) <= 1

    with context.call("an-id", 30.0, "gateway"):
        assert await background.finish(work(False)) == ("gateway", "an-id", True)
        with pytest.raises(TaskQueueError, match="no"):
            await background.finish(work(True))
        # The time for the work is not that of its call.
        assert context.remaining(60) > 1


async def test_failure_that_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    background = Background()
    released = asyncio.Event()

    async def work() -> None:
        await released.wait()
        raise TaskQueueError("too late")

    call = asyncio.create_task(background.finish(work()))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    released.set()
    await background.drain()
    assert "too late" in caplog.text


async def test_work_may_catch_what_it_waited_for() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def work() -> str:
        try:
            await asyncio.create_task(fails())
        except ZeroDivisionError:
            return "caught"
        return "missed"

    assert await Background().finish(work()) == "caught"
