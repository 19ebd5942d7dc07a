from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from common.domain.errors import StaleAttempt
from common.domain.job import Failure, JobState, Outcome
from common.handlers.registry import load
from common.worker.executor import JobExecutor
from common.worker.loop import Worker

# Seconds after which a test has failed.
BOUND = 60.0
LONG = b'{"milliseconds": 600000}'


@pytest.fixture
def working(coordinator, executor):
    """Runs a worker around a block."""

    @contextlib.asynccontextmanager
    async def run(slots=2, runs=executor, **settings):
        given = {"heartbeat_interval": 0.02, "long_poll": 20.0, "stop_grace": 20.0, **settings}
        worker = Worker("w", slots, coordinator, runs, **given)
        worker.start()
        try:
            async with asyncio.timeout(BOUND):
                yield worker
        finally:
            for future in list(executor.running.values()):
                if not future.done():
                    future.cancel()
            await worker.stop()

    return run


async def test_job_is_run_and_its_outcome_reported(working, coordinator, executor, assignment):
    job = assignment("a")
    async with working():
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        executor.end(job.execution)
        await coordinator.until(lambda: coordinator.outcomes)
    assert coordinator.outcomes == {job.execution: Outcome(JobState.DONE, b"output")}


async def test_execution_runs_under_the_correlation_id_of_its_submit(
    working, coordinator, executor, assignment
):
    async with working():
        await coordinator.give(assignment("a"), assignment("b"))
        await executor.until(lambda: len(executor.running) == 2)
    assert executor.correlations == ["correlation-a", "correlation-b"]


async def test_heartbeat_comes_before_any_work_and_then_names_what_runs(
    working, coordinator, executor, assignment
):
    job = assignment("a")
    async with working():
        await coordinator.until(lambda: coordinator.heartbeats)
        await coordinator.give(job)
        await coordinator.until(lambda: [job.execution] in coordinator.heartbeats)
    assert coordinator.heartbeats[0] == []


async def test_every_call_has_a_deadline(working, coordinator, executor, assignment):
    job = assignment("a")
    async with working(long_poll=7.0):
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        executor.end(job.execution)
        await coordinator.until(lambda: coordinator.outcomes and coordinator.heartbeats)
    assert 7 < coordinator.remaining["fetch"] <= 12
    assert 0 < coordinator.remaining["report"] <= 5
    assert 0 < coordinator.remaining["heartbeat"] <= 5


async def test_fetch_asks_for_no_more_than_the_free_slots(
    working, coordinator, executor, assignment
):
    jobs = [assignment(name) for name in "abc"]
    async with working(slots=2) as worker:
        await coordinator.give(jobs[0])
        await coordinator.until(lambda: len(coordinator.fetches) == 2)
        await coordinator.give(*jobs[1:])
        await executor.until(lambda: len(executor.running) == 2)
        assert coordinator.fetches == [2, 1]
        assert worker.busy == 2
        assert coordinator.waiting == jobs[2:]
        executor.end(jobs[0].execution)
        await executor.until(lambda: jobs[2].execution in executor.running)
    assert coordinator.fetches[:3] == [2, 1, 1]


async def test_canceled_execution_is_stopped_and_reported_as_canceled(
    working, coordinator, executor, assignment
):
    job = assignment("a")
    async with working():
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        coordinator.cancel.append(job.execution)
        await coordinator.until(lambda: coordinator.outcomes)
    assert executor.stopped == [job.execution]
    assert coordinator.outcomes == {job.execution: Outcome(JobState.CANCELED)}


@pytest.mark.parametrize("kind", ["sleep", "spin"])
async def test_running_job_of_each_sort_is_canceled_for_real(
    working, coordinator, assignment, kind
):
    runs = JobExecutor(load())
    job = assignment("a", kind, LONG)
    try:
        async with working(runs=runs) as worker:
            await coordinator.give(job)
            await coordinator.until(lambda: [job.execution] in coordinator.heartbeats)
            coordinator.cancel.append(job.execution)
            await coordinator.until(lambda: coordinator.outcomes)
            assert worker.busy == 0
    finally:
        await runs.close()
    assert coordinator.outcomes == {job.execution: Outcome(JobState.CANCELED)}


async def test_cancel_that_comes_too_late_leaves_the_outcome_as_it_is(
    working, coordinator, executor, assignment
):
    job = assignment("a")
    coordinator.unreachable.add("report")
    async with working():
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        executor.end(job.execution)
        await coordinator.until(lambda: "report" in coordinator.failed_calls)
        coordinator.cancel.append(job.execution)
        beats = len(coordinator.heartbeats)
        await coordinator.until(lambda: len(coordinator.heartbeats) > beats + 1)
        await coordinator.reach()
        await coordinator.until(lambda: coordinator.outcomes)
    assert coordinator.outcomes[job.execution].state is JobState.DONE


async def test_dropped_execution_is_stopped_and_forgotten_without_a_report(
    working, coordinator, executor, assignment
):
    job, other = assignment("a"), assignment("b")
    async with working():
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        coordinator.drop.append(job.execution)
        await executor.until(lambda: executor.stopped == [job.execution])
        await coordinator.give(other)
        await executor.until(lambda: executor.running)
        executor.end(other.execution)
        await coordinator.until(lambda: coordinator.outcomes)
        await coordinator.until(lambda: coordinator.heartbeats[-1] == [])
    assert list(coordinator.outcomes) == [other.execution]
    assert coordinator.returned == []


async def test_ended_execution_that_is_dropped_is_not_reported_any_more(
    working, coordinator, executor, assignment
):
    job = assignment("a")
    coordinator.unreachable.add("report")
    async with working():
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        executor.end(job.execution)
        await coordinator.until(lambda: "report" in coordinator.failed_calls)
        coordinator.drop.append(job.execution)
        await coordinator.until(lambda: coordinator.heartbeats[-1] == [])
        await coordinator.reach()
    assert coordinator.outcomes == {}


async def test_assignment_that_is_held_already_is_ignored(
    working, coordinator, executor, assignment
):
    job, other = assignment("a"), assignment("b")
    async with working(slots=3):
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        await coordinator.give(job, other)
        await executor.until(lambda: len(executor.running) == 2)
    assert executor.started == [job.execution, other.execution]


async def test_higher_attempt_replaces_the_one_that_runs(
    working, coordinator, executor, assignment
):
    first, second = assignment("a"), assignment("a", attempt=2)
    async with working():
        await coordinator.give(first)
        await executor.until(lambda: executor.running)
        await coordinator.give(second)
        await executor.until(lambda: executor.stopped == [first.execution])
        executor.end(second.execution)
        await coordinator.until(lambda: coordinator.outcomes)
    assert list(coordinator.outcomes) == [second.execution]


async def test_report_is_repeated_until_the_coordinator_answers(
    working, coordinator, executor, assignment
):
    job = assignment("a")
    coordinator.unreachable.add("report")
    async with working() as worker:
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        executor.end(job.execution)
        await coordinator.until(lambda: coordinator.failed_calls.count("report") >= 3)
        assert worker.busy == 0
        beats = len(coordinator.heartbeats)
        await coordinator.until(lambda: len(coordinator.heartbeats) > beats)
        assert coordinator.heartbeats[-1] == [job.execution]
        await coordinator.reach()
        await coordinator.until(lambda: coordinator.outcomes)
        await coordinator.until(lambda: coordinator.heartbeats[-1] == [])


async def test_fetch_and_heartbeat_go_on_after_the_coordinator_was_out_of_reach(
    working, coordinator, executor, assignment, caplog
):
    coordinator.unreachable |= {"fetch", "heartbeat"}
    async with working():
        await coordinator.until(lambda: coordinator.failed_calls.count("fetch") >= 2)
        await coordinator.until(lambda: coordinator.failed_calls.count("heartbeat") >= 2)
        await coordinator.reach()
        await coordinator.give(assignment("a"))
        await executor.until(lambda: executor.running)
        await coordinator.until(lambda: coordinator.heartbeats)
    assert "w could not fetch work: coordinator is out of reach" in caplog.text


async def test_refused_outcome_is_logged_and_forgotten(
    working, coordinator, executor, assignment, caplog
):
    job = assignment("a")
    coordinator.verdict = StaleAttempt("a", 1, 2)
    async with working():
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        executor.end(job.execution)
        await coordinator.until(lambda: coordinator.outcomes)
        await coordinator.until(lambda: coordinator.heartbeats[-1] == [])
    assert coordinator.batches == [1]
    (record,) = [each for each in caplog.records if "refused" in each.message]
    assert (record.job_id, record.attempt) == ("a", 1)
    assert record.correlation_id == "correlation-a"


async def test_nothing_more_is_taken_on_while_too_many_outcomes_wait(
    working, coordinator, executor, assignment
):
    jobs = [assignment(f"job-{number}") for number in range(10)]
    coordinator.unreachable.add("report")
    async with working(slots=2):
        await coordinator.give(*jobs)
        for job in jobs[:4]:
            await executor.until(lambda job=job: job.execution in executor.running)
            executor.end(job.execution)
        await coordinator.until(lambda: len(coordinator.heartbeats[-1]) >= 4)
        beats = len(coordinator.heartbeats)
        await coordinator.until(lambda: len(coordinator.heartbeats) > beats + 3)
        assert len(executor.started) <= 5
        await coordinator.reach()
        await coordinator.until(lambda: len(coordinator.outcomes) >= 4)
        await executor.until(lambda: len(executor.started) > 5)


async def test_report_carries_at_most_four_mebibytes_of_output(
    working, coordinator, executor, assignment
):
    jobs = [assignment(f"job-{number}") for number in range(6)]
    coordinator.unreachable.add("report")
    async with working(slots=6):
        await coordinator.give(*jobs)
        await executor.until(lambda: len(executor.running) == 6)
        for job in jobs:
            executor.end(job.execution, Outcome(JobState.DONE, bytes(1 << 20)))
        await executor.until(lambda: not executor.running)
        await coordinator.reach()
        await coordinator.until(lambda: len(coordinator.outcomes) == 6)
    assert sum(coordinator.batches) == 6
    assert max(coordinator.batches) <= 4


async def test_empty_answers_that_come_at_once_do_not_make_the_worker_spin(working, coordinator):
    coordinator.empty_answers = True
    async with working():
        await coordinator.until(lambda: len(coordinator.heartbeats) > 10)
    assert len(coordinator.fetches) < 10 * len(coordinator.heartbeats)


async def test_executor_that_raises_fails_the_job_and_frees_the_slot(
    working, coordinator, executor, assignment
):
    job = assignment("a")
    async with working() as worker:
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        executor.running[job.execution].set_exception(KeyError("defect"))
        await coordinator.until(lambda: coordinator.outcomes)
        assert worker.busy == 0
    assert coordinator.outcomes[job.execution].failure == Failure(
        "EXECUTOR_ERROR", "KeyError: 'defect'"
    )


async def test_execution_that_cancels_itself_fails_the_job(
    working, coordinator, executor, assignment
):
    job = assignment("a")
    async with working():
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        executor.running[job.execution].cancel()
        await coordinator.until(lambda: coordinator.outcomes)
    assert coordinator.outcomes[job.execution].failure.reason == "HANDLER_ERROR"


async def test_no_slot_is_lost_whichever_way_executions_end(
    working, coordinator, executor, assignment
):
    ways = ["done", "failed", "raised", "canceled", "dropped", "replaced"]
    async with working(slots=len(ways)) as worker:
        for turn in range(3):
            jobs = {way: assignment(f"{way}-{turn}") for way in ways}
            second = assignment(f"replaced-{turn}", attempt=2)
            await coordinator.give(*jobs.values())
            await executor.until(lambda: len(executor.running) == len(ways))
            executor.end(jobs["done"].execution)
            failed = Outcome(JobState.FAILED, failure=Failure("X", ""))
            executor.end(jobs["failed"].execution, failed)
            executor.running[jobs["raised"].execution].set_exception(OSError())
            coordinator.cancel.append(jobs["canceled"].execution)
            coordinator.drop.append(jobs["dropped"].execution)
            await coordinator.give(second)
            await executor.until(lambda second=second: second.execution in executor.running)
            executor.end(second.execution)
            await executor.until(lambda: not executor.running)
            await coordinator.until(lambda turn=turn: len(coordinator.outcomes) == 5 * turn + 5)
            assert worker.busy == 0
            await coordinator.until(lambda: coordinator.heartbeats[-1] == [])
        before = len(executor.started)
        await coordinator.give(*(assignment(f"last-{number}") for number in range(20)))
        await executor.until(lambda: len(executor.started) == before + len(ways))
        assert worker.busy == len(ways)


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


def test_worker_without_slots_is_refused(coordinator, executor):
    with pytest.raises(ValueError, match="slots must be at least 1, is 0"):
        Worker("w", 0, coordinator, executor)


async def test_fetchers_share_the_slots_and_never_ask_for_more_than_there_are(
    coordinator, executor, assignment
):
    worker = Worker("w", 5, coordinator, executor, fetchers=3)
    worker.start()
    await coordinator.until(lambda: len(coordinator.fetches) == 3)
    assert coordinator.fetches == [2, 2, 1]
    jobs = [assignment(name) for name in "abcde"]
    await coordinator.give(*jobs)
    await executor.until(lambda: len(executor.running) == 5)
    assert worker.busy == 5
    asked = len(coordinator.fetches)
    executor.end(jobs[0].execution)
    await coordinator.until(lambda: len(coordinator.fetches) > asked)
    assert coordinator.fetches[asked:] == [1]
    for job in jobs[1:]:
        executor.end(job.execution)
    await worker.stop()
    assert set(coordinator.outcomes) == {job.execution for job in jobs}


@pytest.mark.parametrize("fetchers", [0, 3])
def test_worker_with_more_fetchers_than_slots_is_refused(coordinator, executor, fetchers):
    with pytest.raises(ValueError, match="fetchers must be 1 to 2"):
        Worker("w", 2, coordinator, executor, fetchers=fetchers)
