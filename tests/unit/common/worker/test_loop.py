"""What a worker takes on, runs and drops."""

from __future__ import annotations

import pytest

from common.domain.job import Failure, JobState, Outcome
from common.worker.loop import Worker


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
