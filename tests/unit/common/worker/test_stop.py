"""How a worker stops, and what it gives back."""

from __future__ import annotations

import asyncio
import logging

import pytest

from common.domain.job import JobState, Outcome
from common.worker.loop import Worker


async def test_stop_lets_running_work_finish_and_reports_it(
    working, coordinator, executor, assignment
):
    job = assignment("a")
    async with working() as worker:
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        stopping = asyncio.create_task(worker.stop())
        beats = len(coordinator.heartbeats)
        await coordinator.until(lambda: len(coordinator.heartbeats) > beats)
        await coordinator.give(assignment("b"))
        executor.end(job.execution)
        await stopping
    assert coordinator.outcomes == {job.execution: Outcome(JobState.DONE, b"output")}
    assert coordinator.returned == []
    assert executor.started == [job.execution]


async def test_stop_gives_back_what_does_not_finish_in_time(
    working, coordinator, executor, assignment
):
    jobs = [assignment("a"), assignment("b")]
    async with working(stop_grace=0.0) as worker:
        await coordinator.give(*jobs)
        await executor.until(lambda: len(executor.running) == 2)
        await worker.stop()
        assert worker.busy == 0
    assert sorted(coordinator.returned) == [job.execution for job in jobs]
    assert sorted(executor.stopped) == [job.execution for job in jobs]
    assert coordinator.outcomes == {}


async def test_stop_repeats_its_last_report_until_it_is_taken(
    working, coordinator, executor, assignment
):
    job = assignment("a")
    coordinator.unreachable.add("report")
    async with working(stop_grace=0.0) as worker:
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        stopping = asyncio.create_task(worker.stop())
        await coordinator.until(lambda: coordinator.failed_calls.count("report") >= 2)
        await coordinator.reach()
        await stopping
    assert coordinator.returned == [job.execution]


async def test_stop_may_be_called_again_and_before_the_start(coordinator, executor):
    worker = Worker("w", 1, coordinator, executor)
    await asyncio.gather(worker.stop(), worker.stop())
    await worker.run()
    assert coordinator.heartbeats == []


async def test_run_returns_once_the_worker_is_stopped(coordinator, executor):
    worker = Worker("w", 1, coordinator, executor)
    running = asyncio.create_task(worker.run())
    await coordinator.until(lambda: coordinator.heartbeats)
    await worker.stop()
    await running


async def test_defect_of_the_coordinator_ends_the_worker_and_gives_its_work_back(
    coordinator, executor, assignment, caplog, monkeypatch
):
    caplog.set_level(logging.CRITICAL)
    job = assignment("a")
    worker = Worker("w", 1, coordinator, executor, 0.02, stop_grace=0.0)
    running = asyncio.create_task(worker.run())
    await coordinator.give(job)
    await executor.until(lambda: executor.running)
    monkeypatch.setattr(coordinator, "heartbeat", None)
    with pytest.raises(TypeError):
        await running
    assert coordinator.returned == [job.execution]
    assert "worker-heartbeat failed" in caplog.text


@pytest.mark.parametrize("call", ["heartbeat", "report", "fetch"])
async def test_loop_that_is_canceled_by_what_it_calls_ends_the_worker(
    call, coordinator, executor, assignment, caplog, monkeypatch
):
    async def canceled(*_):
        raise asyncio.CancelledError

    caplog.set_level(logging.CRITICAL)
    job = assignment("a")
    worker = Worker("w", 1, coordinator, executor, 0.02, stop_grace=0.0)
    running = asyncio.create_task(worker.run())
    await coordinator.give(job)
    await executor.until(lambda: executor.running)
    monkeypatch.setattr(coordinator, call, canceled)
    executor.end(job.execution)
    with pytest.raises(RuntimeError, match=f"{call}.* loop was canceled"):
        await running
    assert f"worker-{call}" in caplog.text


async def test_work_that_a_report_brings_while_the_worker_stops_is_given_back_unstarted(
    coordinator, executor, assignment, monkeypatch
):
    job, late = assignment("a"), assignment("late")
    reported, answer, report = asyncio.Event(), asyncio.Event(), coordinator.report

    async def held_up(*arguments):
        reply = await report(*arguments)
        reported.set()
        await answer.wait()
        return reply

    worker = Worker("w", 1, coordinator, executor, 0.02)
    monkeypatch.setattr(coordinator, "report", held_up)
    coordinator.with_reports = 1
    worker.start()
    await coordinator.give(job)
    await executor.until(lambda: executor.running)
    coordinator.waiting.append(late)
    executor.end(job.execution)
    await reported.wait()
    stopping = asyncio.create_task(worker.stop())
    beats = len(coordinator.heartbeats)
    await coordinator.until(lambda: len(coordinator.heartbeats) > beats)
    answer.set()
    await stopping
    assert coordinator.asked_with_reports == [1, 0]
    assert coordinator.returned == [late.execution]
    assert executor.started == [job.execution]
    assert list(coordinator.outcomes) == [job.execution]
