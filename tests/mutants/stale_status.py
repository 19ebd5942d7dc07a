"""The gateway, or the home node, answers statuses from a copy that is up to a second old."""

from __future__ import annotations

import asyncio

from common.domain.job import Job
from common.flows.public import OwnedTaskQueue
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    status = OwnedTaskQueue.status
    copies: dict[tuple[OwnedTaskQueue, str], tuple[float, Job]] = {}

    async def remembered(self: OwnedTaskQueue, job_id: str) -> Job:
        read, job = copies.get((self, job_id), (0.0, None))
        if job is None or _now() - read > 1:
            job = await status(self, job_id)
            copies[self, job_id] = _now(), job
        return job

    patches.set(OwnedTaskQueue, "status", remembered)


def _now() -> float:
    return asyncio.get_running_loop().time()


MUTANT = Mutant("statuses come from an old copy", ("a", "b"), {"steps", "terminal"}, _apply)
