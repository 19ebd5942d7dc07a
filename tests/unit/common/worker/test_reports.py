"""How a worker reports what has ended."""

from __future__ import annotations

from common.domain.errors import StaleAttempt
from common.domain.job import JobState, Outcome


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
