"""Dispatch: lease entries, start their jobs, hand them to the worker that asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Assignment, Execution, JobState
from common.flows.background import Background
from common.flows.ended import has_ended
from common.ports import Jobs, Queue, Transition

logger = logging.getLogger(__name__)


async def dispatch(
    worker: str, max_jobs: int, max_wait: float, jobs: Jobs, queue: Queue, background: Background
) -> list[Assignment]:
    """Start up to ``max_jobs`` jobs for a worker, waiting up to ``max_wait`` seconds for the first.

    An entry whose job may not start, because it was canceled or is finished, is removed; one whose
    job runs under a later attempt stays, for that attempt. If the starts cannot be recorded the
    leases are given back, so that nothing waits for them to run out.
    """
    end = time.monotonic() + max_wait
    while True:
        left = max(0.0, end - time.monotonic())
        leased = (await queue.dequeue(max_jobs, left)).assignments
        if not leased:
            return []
        try:
            started = await _start(worker, leased, jobs, queue, background)
        except BaseException:
            executions = [assignment.execution for assignment in leased]
            background.start(give_back(executions, queue), f"give back {len(leased)} leases")
            raise
        if started:
            return started


async def give_back(executions: Sequence[Execution], queue: Queue) -> None:
    """Return leases, so that the jobs are visible again at once."""
    await queue.dequeue(0, release=executions)


async def _start(
    worker: str,
    leased: Sequence[Assignment],
    jobs: Jobs,
    queue: Queue,
    background: Background,
) -> list[Assignment]:
    steps = [Transition(each.execution, JobState.RUNNING, worker) for each in leased]
    answers = await jobs.transition(steps)
    started: list[Assignment] = []
    refused: list[str] = []
    for assignment, answer in zip(leased, answers, strict=True):
        if isinstance(answer, TaskQueueError):
            job_id, attempt = assignment.execution
            logger.info("not started: %s", answer, extra={"job_id": job_id, "attempt": attempt})
            if has_ended(answer):
                refused.append(job_id)
        else:
            started.append(assignment)
            _log_handed_out(worker, assignment)
    if refused:
        background.start(_drop(refused, queue), f"remove {len(refused)} entries of ended jobs")
    return started


def _log_handed_out(worker: str, assignment: Assignment) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        job_id, attempt = assignment.execution
        logger.debug(
            "handed to %s",
            worker,
            extra={
                "job_id": job_id,
                "attempt": attempt,
                "correlation_id": assignment.correlation_id,
            },
        )


async def _drop(job_ids: Sequence[str], queue: Queue) -> None:
    await queue.remove(job_ids)
