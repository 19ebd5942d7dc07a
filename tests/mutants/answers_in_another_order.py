"""The client of the job service gives records in another order than they were asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Job
from design_a.clients.jobs import JobsClient
from tests.mutants import Mutant, Patches

# Seconds in which others ask for records too, so that one call has several of them.
GATHERING = 0.02


def _apply(patches: Patches) -> None:
    get = JobsClient.get

    async def backwards(self: JobsClient, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        await asyncio.sleep(GATHERING)
        return (await get(self, job_ids))[::-1]

    patches.set(JobsClient, "get", backwards)


MUTANT = Mutant(
    "records come in another order", ("a",), {"calm-once", "runs again"}, _apply, "calm"
)
