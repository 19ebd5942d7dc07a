"""Complete: store the outputs, then end the jobs, then acknowledge their queue entries."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Execution, Job, JobState, Outcome
from common.flows.dispatch import give_back
from common.flows.ended import has_ended
from common.ports import Jobs, Queue, Results, Transition

logger = logging.getLogger(__name__)


async def complete(
    reports: Sequence[tuple[Execution, Outcome]], jobs: Jobs, queue: Queue, results: Results
) -> list[TaskQueueError | None]:
    """Take outcomes; returns why each was refused, or ``None``.

    Each of the three steps may be repeated without harm, so a caller that was not answered reports
    again. An entry stays in the queue only if a later attempt still needs it.
    """
    outputs = [
        (execution, outcome.output)
        for execution, outcome in reports
        if outcome.state is JobState.DONE
    ]
    if outputs:
        await results.store(outputs)
    steps = [
        Transition(execution, outcome.state, failure=outcome.failure)
        for execution, outcome in reports
    ]
    answers = await jobs.transition(steps)
    verdicts = [
        _verdict(execution, answer) for (execution, _), answer in zip(reports, answers, strict=True)
    ]
    await _acknowledge(reports, verdicts, queue)
    return verdicts


async def _acknowledge(
    reports: Sequence[tuple[Execution, Outcome]],
    verdicts: Sequence[TaskQueueError | None],
    queue: Queue,
) -> None:
    """Remove the entries of jobs that have ended; give back the leases of those that have not."""
    ended: list[str] = []
    unfinished: list[Execution] = []
    for (execution, _), verdict in zip(reports, verdicts, strict=True):
        if has_ended(verdict):
            ended.append(execution.job_id)
        else:
            unfinished.append(execution)
    if ended:
        await queue.remove(ended)
    if unfinished:
        await give_back(unfinished, queue)


def _verdict(execution: Execution, answer: Job | TaskQueueError) -> TaskQueueError | None:
    if not isinstance(answer, TaskQueueError):
        return None
    logger.warning(
        "outcome ignored: %s",
        answer,
        extra={"job_id": execution.job_id, "attempt": execution.attempt},
    )
    return answer
