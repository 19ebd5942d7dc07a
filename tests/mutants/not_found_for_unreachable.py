"""A node answers that there is no such job if it cannot reach the job's home."""

from __future__ import annotations

from common.domain.errors import DeadlineExceeded, JobNotFound, OwnerUnreachable
from common.domain.job import Job
from design_b.placement import PlacedTaskQueue
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    status = PlacedTaskQueue.status

    async def mistaken(self: PlacedTaskQueue, job_id: str) -> Job:
        try:
            return await status(self, job_id)
        except (OwnerUnreachable, DeadlineExceeded):
            raise JobNotFound(job_id) from None

    patches.set(PlacedTaskQueue, "status", mistaken)


MUTANT = Mutant("a home out of reach is NOT_FOUND", ("b",), {"lost"}, _apply)
