"""Virtual time, and processes that are stopped in it."""

from __future__ import annotations

import asyncio
from contextvars import Context
from types import SimpleNamespace

import pytest

from tests.simulation.loop import PROCESS, Freezer, VirtualLoop


def test_an_hour_passes_at_once_and_in_order() -> None:
    async def hour() -> list[float]:
        loop = asyncio.get_running_loop()
        times: list[float] = []
        for seconds in (3600.0, 0.5):
            loop.call_later(seconds, lambda: times.append(loop.time()))
        await asyncio.sleep(3601)
        return times

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(hour()) == pytest.approx([0.5, 3600])


def test_waiting_for_nothing_is_an_error() -> None:
    async def wait_for_nothing() -> None:
        await asyncio.get_running_loop().create_future()

    loop = VirtualLoop()
    with pytest.raises(RuntimeError, match="for nothing"):
        loop.run_until_complete(wait_for_nothing())
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
    loop.close()


def test_frozen_process_does_nothing_until_its_thaw() -> None:
    process = SimpleNamespace(freezer=Freezer())
    context = Context()
    context.run(PROCESS.set, process)
    steps: list[float] = []

    async def step() -> None:
        while True:
            await asyncio.sleep(1)
            steps.append(asyncio.get_running_loop().time())

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(step(), context=context)
        await asyncio.sleep(1.5)
        process.freezer.freeze()
        await asyncio.sleep(10)
        process.freezer.thaw(loop)
        await asyncio.sleep(1.5)
        task.cancel()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario())
    assert steps == pytest.approx([1, 11.5, 12.5])


def test_timer_that_was_canceled_after_the_thaw_does_not_fire() -> None:
    process = SimpleNamespace(freezer=Freezer())
    context = Context()
    context.run(PROCESS.set, process)

    async def in_time(answer: asyncio.Future[str]) -> str:
        async with asyncio.timeout(5):
            return await answer

    async def scenario() -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        task = loop.create_task(in_time(answer), context=context)
        await asyncio.sleep(1)
        process.freezer.freeze()
        answer.set_result("answered in time")
        await asyncio.sleep(10)
        process.freezer.thaw(loop)
        return await task

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(scenario()) == "answered in time"
