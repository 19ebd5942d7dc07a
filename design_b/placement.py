"""Placement: which node is a job's home, and how a call gets there.

Ids name their home, so a submit needs no hop and any node finds any job. A submit with a
``request_id`` has its home from a hash of it, so that repeats through different nodes meet.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping

from common import context
from common.domain import ids, paging
from common.domain.errors import JobNotFound, NotHome
from common.domain.job import Job, JobResult, JobSpec, JobState
from common.domain.paging import JobPage
from common.ports import TaskQueue
from common.rpc.callers import NODE


def home_of_request(request_id: str, nodes: int) -> int:
    """Return the number of the node at which all submits with this ``request_id`` meet."""
    return int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:8], "big") % nodes


class PlacedTaskQueue:
    """Implements the ``TaskQueue`` port over all nodes: its own jobs here, others at their home.

    A call that a node forwarded is answered here or refused with ``NotHome``, never forwarded
    again. A home out of reach raises ``OwnerUnreachable``, for a list too.
    """

    def __init__(self, number: int, own: TaskQueue, peers: Mapping[int, TaskQueue]) -> None:
        self._number = number
        self._own = own
        self._nodes = {number: own, **peers}

    async def submit(self, spec: JobSpec, request_id: str = "") -> str:
        home = self._number
        if request_id:
            home = home_of_request(request_id, len(self._nodes))
        return await self._at(home, request_id=request_id).submit(spec, request_id)

    async def status(self, job_id: str) -> Job:
        return await self._at_home(job_id).status(job_id)

    async def result(self, job_id: str) -> JobResult:
        return await self._at_home(job_id).result(job_id)

    async def cancel(self, job_id: str) -> Job:
        return await self._at_home(job_id).cancel(job_id)

    async def list_jobs(
        self, state: JobState | None, kind: str, page_size: int, page_token: str
    ) -> JobPage:
        """Return one page of the jobs of all nodes, newest first."""
        if context.caller() == NODE:
            return await self._own.list_jobs(state, kind, page_size, page_token)
        query = paging.open_query(state, kind, page_size, page_token)
        pages = await asyncio.gather(
            *(node.list_jobs(state, kind, query.limit, page_token) for node in self._nodes.values())
        )
        return paging.merge_pages(query, pages)

    def _at_home(self, job_id: str) -> TaskQueue:
        home = ids.parse(job_id).home
        if home not in self._nodes:
            raise JobNotFound(job_id)
        return self._at(home, job_id=job_id)

    def _at(self, home: int, *, job_id: str = "", request_id: str = "") -> TaskQueue:
        if home != self._number and context.caller() == NODE:
            raise NotHome(f"node {self._number}", job_id=job_id, request_id=request_id)
        return self._nodes[home]
