"""A canceled job keeps its queue entry, and is started from it."""

from __future__ import annotations

from dataclasses import replace

from common.domain import lifecycle
from common.domain.job import Job, JobState
from common.flows.public import OwnedTaskQueue
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    start = lifecycle.start

    def heedless(job: Job, attempt: int, worker: str, now: int) -> Job:
        if job.state is JobState.CANCELED:
            job = replace(job, state=JobState.QUEUED, finish_time=None)
        return start(job, attempt, worker, now)

    async def leave(self: OwnedTaskQueue, job_id: str) -> None:
        """Leave the entry."""

    patches.set(lifecycle, "start", heedless)
    patches.set(OwnedTaskQueue, "_remove", leave)


MUTANT = Mutant("a canceled job is started", ("a", "b"), {"cancel"}, _apply)
