"""A list shows each job with the time at which the one beside it was created."""

from __future__ import annotations

from dataclasses import replace

from common.domain.job import Job
from common.domain.paging import JobQuery
from common.owners.jobs import JobOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    page = JobOwner.page

    async def shifted(self: JobOwner, query: JobQuery) -> list[Job]:
        jobs = await page(self, query)
        return [
            replace(job, create_time=older.create_time)
            for job, older in zip(jobs, [*jobs[1:], *jobs[:1]], strict=True)
        ]

    patches.set(JobOwner, "page", shifted)


MUTANT = Mutant("lists show the times of other jobs", ("a", "b"), {"steps"}, _apply)
