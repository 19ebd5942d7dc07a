"""How a worker reports what has ended."""

from __future__ import annotations

import asyncio

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


# Reports that bring work


async def test_report_asks_for_as_many_jobs_as_slots_are_free(
    working, coordinator, executor, assignment
):
    jobs = [assignment(name) for name in "abc"]
    async with working(slots=3):
        await coordinator.give(*jobs)
        await executor.until(lambda: len(executor.running) == 3)
        executor.end(jobs[0].execution)
        await coordinator.until(lambda: len(coordinator.batches) == 1)
        assert coordinator.asked_with_reports == [1]


async def test_work_that_a_report_brings_is_run_without_a_fetch(
    working, coordinator, executor, assignment
):
    jobs = [assignment(name) for name in "abcd"]
    coordinator.with_reports = 1
    async with working(slots=1):
        await coordinator.give(*jobs)
        for job in jobs:
            await executor.until(lambda job=job: job.execution in executor.running)
            executor.end(job.execution)
        await coordinator.until(lambda: len(coordinator.outcomes) == 4)
    assert [each.execution for each in jobs] == executor.started
    assert coordinator.fetches[:1] == [1]
    assert len(coordinator.fetches) <= 2


async def test_fetch_waits_for_the_answer_of_a_report_and_then_asks_for_what_is_left(
    working, coordinator, executor, assignment, monkeypatch
):
    jobs = [assignment(name) for name in "abcde"]
    answer, report = asyncio.Event(), coordinator.report

    async def held_up(*arguments):
        reply = await report(*arguments)
        await answer.wait()
        return reply

    monkeypatch.setattr(coordinator, "report", held_up)
    coordinator.with_reports = 1
    async with working(slots=3):
        await coordinator.give(*jobs[:3])
        await executor.until(lambda: len(executor.running) == 3)
        asked = len(coordinator.fetches)
        await coordinator.give(jobs[3])
        executor.end(jobs[0].execution)
        executor.end(jobs[1].execution)
        await coordinator.until(lambda: coordinator.batches)
        beats = len(coordinator.heartbeats)
        await coordinator.until(lambda: len(coordinator.heartbeats) > beats + 2)
        assert (coordinator.batches, coordinator.asked_with_reports) == ([2], [2])
        assert len(coordinator.fetches) == asked
        answer.set()
        await coordinator.until(lambda: len(coordinator.fetches) > asked)
        assert coordinator.fetches[asked:] == [1]
        assert jobs[3].execution in executor.running


async def test_worker_whose_reports_fail_fetches_and_takes_no_work_with_them(
    working, coordinator, executor, assignment
):
    jobs = [assignment(name) for name in "abc"]
    coordinator.unreachable.add("report")
    async with working(slots=2):
        await coordinator.give(jobs[0])
        await executor.until(lambda: executor.running)
        executor.end(jobs[0].execution)
        await coordinator.until(lambda: "report" in coordinator.failed_calls)
        await coordinator.give(*jobs[1:])
        await executor.until(lambda: len(executor.running) == 2)
        await coordinator.until(lambda: coordinator.failed_calls.count("report") >= 3)
        coordinator.with_reports = 2
        executor.end(jobs[1].execution)
        await coordinator.reach()
        await coordinator.until(lambda: jobs[1].execution in coordinator.outcomes)
    assert coordinator.asked_with_reports[0] == 0


async def test_work_is_asked_for_again_once_a_report_was_answered(
    working, coordinator, executor, assignment
):
    jobs = [assignment(name) for name in "abc"]
    coordinator.unreachable.add("report")
    coordinator.with_reports = 1
    async with working(slots=1):
        await coordinator.give(*jobs)
        await executor.until(lambda: executor.running)
        executor.end(jobs[0].execution)
        await coordinator.until(lambda: coordinator.failed_calls.count("report") >= 2)
        await coordinator.reach()
        await executor.until(lambda: jobs[1].execution in executor.running)
        await coordinator.until(lambda: jobs[0].execution in coordinator.outcomes)
        answered = len(coordinator.batches)
        executor.end(jobs[1].execution)
        await executor.until(lambda: jobs[2].execution in executor.running)
    assert coordinator.asked_with_reports[answered] == 1


async def test_outcomes_of_jobs_that_end_together_go_in_one_report(
    working, coordinator, executor, assignment
):
    jobs = [assignment(str(number)) for number in range(8)]
    async with working(slots=8):
        await coordinator.give(*jobs)
        await executor.until(lambda: len(executor.running) == 8)
        for job in jobs:
            executor.end(job.execution)
        await coordinator.until(lambda: len(coordinator.outcomes) == 8)
    assert coordinator.batches == [8]


async def test_job_that_a_report_brings_though_it_is_held_is_run_once(
    working, coordinator, executor, assignment
):
    held, other = assignment("held"), assignment("other")
    coordinator.with_reports = 2
    async with working(slots=3):
        await coordinator.give(held, other)
        await executor.until(lambda: len(executor.running) == 2)
        coordinator.waiting.append(held)
        executor.end(other.execution)
        await coordinator.until(lambda: coordinator.batches)
    assert executor.started == [held.execution, other.execution]


async def test_worker_whose_report_hangs_after_one_that_failed_goes_on_sending_heartbeats(
    working, coordinator, executor, assignment, monkeypatch
):
    job = assignment("a")
    report, hangs, goes_on = coordinator.report, asyncio.Event(), asyncio.Event()

    async def failing_then_hanging(*arguments):
        if len(coordinator.failed_calls) > 1:
            hangs.set()
            await goes_on.wait()
        return await report(*arguments)

    async with working(slots=2):
        await coordinator.give(job)
        await executor.until(lambda: executor.running)
        coordinator.unreachable |= {"report"}
        monkeypatch.setattr(coordinator, "report", failing_then_hanging)
        coordinator.empty_answers = True
        await coordinator.give(assignment("b"))
        executor.end(job.execution)
        await hangs.wait()
        beats = len(coordinator.heartbeats)
        await coordinator.until(lambda: len(coordinator.heartbeats) > beats + 5)
        await coordinator.reach()
        goes_on.set()
