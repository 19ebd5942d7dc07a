"""A cache keeps every status, also of a job that has not ended."""

from __future__ import annotations

from common.cache.answers import STATUS
from common.cache.queue import CachedTaskQueue
from common.domain.job import Job
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    async def status(self: CachedTaskQueue, job_id: str) -> Job:
        if (kept := await self._kept(STATUS, job_id)) is not None:
            return kept
        job = await self._queue.status(job_id)
        # As of now, not of an end that it has not: so it is kept.
        self._keep(STATUS, job_id, job, self._keeping._clock.now())
        return job

    patches.set(CachedTaskQueue, "status", status)


MUTANT = Mutant(
    "a job that has not ended is answered from the cache",
    ("a", "b"),
    {"steps", "terminal"},
    _apply,
    "cache",
)
