"""Whether a job still needs its queue entry, by what became of a step on it."""

from __future__ import annotations

from common.domain.errors import JobNotFound, TaskQueueError, TransitionRejected
from common.domain.job import JobState


def has_ended(verdict: TaskQueueError | None) -> bool:
    """Whether nothing is left to do for the job, by why a step was refused, or ``None``.

    A stale attempt says the opposite: a later one runs and needs the entry in case it is lost.
    """
    if isinstance(verdict, TransitionRejected):
        return JobState[verdict.metadata["source"]].terminal
    return verdict is None or isinstance(verdict, JobNotFound)
