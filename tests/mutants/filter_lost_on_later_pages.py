"""The filter by kind holds on the first page of a list only."""

from __future__ import annotations

from dataclasses import replace

from common.domain.job import Job
from common.domain.paging import JobQuery
from common.owners.jobs import JobOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    page = JobOwner.page

    async def unfiltered(self: JobOwner, query: JobQuery) -> list[Job]:
        return await page(self, replace(query, kind="") if query.before else query)

    patches.set(JobOwner, "page", unfiltered)


MUTANT = Mutant("later pages ignore the filter by kind", ("a", "b"), {"list"}, _apply)
