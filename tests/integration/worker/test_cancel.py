"""Cancels of jobs that run, in this process and in one of their own."""

from __future__ import annotations

import pytest

from common.domain.job import JobState, Outcome
from common.handlers.registry import load
from common.worker.executor import JobExecutor

LONG = b'{"milliseconds": 600000}'


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
