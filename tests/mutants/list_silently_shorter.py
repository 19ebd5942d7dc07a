"""A list leaves out the jobs of a node that is out of reach."""

from __future__ import annotations

import asyncio

from common import context
from common.domain import paging
from common.domain.job import JobState
from common.domain.paging import JobPage
from common.rpc.callers import NODE
from design_b.placement import PlacedTaskQueue
from tests.mutants import Mutant, Patches


async def _shorter(
    self: PlacedTaskQueue, state: JobState | None, kind: str, page_size: int, page_token: str
) -> JobPage:
    if context.caller() == NODE:
        return await self._own.list_jobs(state, kind, page_size, page_token)
    query = paging.open_query(state, kind, page_size, page_token)
    answers = await asyncio.gather(
        *(node.list_jobs(state, kind, query.limit, page_token) for node in self._nodes.values()),
        return_exceptions=True,
    )
    return paging.merge_pages(query, [page for page in answers if isinstance(page, JobPage)])


def _apply(patches: Patches) -> None:
    patches.set(PlacedTaskQueue, "list_jobs", _shorter)


MUTANT = Mutant("a node out of reach is left out of lists", ("b",), {"list"}, _apply)
