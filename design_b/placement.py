"""Placement: which node is a job's home, and how a call gets there.

Ids name their home, so a submit needs no hop and any node finds any job. A submit with a
``request_id`` has its home on a ring of the nodes, so that repeats through different nodes meet.
When nodes join or leave the home of some request ids changes. The new home then asks the earlier
ones before it accepts a job (docs/scaling.md says why no two nodes both accept one).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from common import context
from common.domain import ids, paging
from common.domain.errors import HomeMoving, JobNotFound, NotHome
from common.domain.job import Job, JobResult, JobSpec, JobState
from common.domain.paging import JobPage
from common.flows.background import Background
from common.ports import TaskQueue
from common.rpc.callers import NODE
from design_b.membership import Membership
from design_b.nodes import Nodes, Turns

# How often a submit is sent to where its home is by then.
_TRIES = 3


class PlacedTaskQueue:
    """Implements the ``TaskQueue`` port over all nodes: its own jobs here, others at their home.

    ``knows`` says whether this node has accepted a job under a request id. A call that a node
    forwarded is answered here or refused with ``NotHome``, never forwarded again. A home out of
    reach raises ``OwnerUnreachable``, for a list too.
    """

    def __init__(
        self, own: TaskQueue, nodes: Nodes, knows: Callable[[str], bool], background: Background
    ) -> None:
        self._own = own
        self._known = nodes
        self._knows = knows
        self._background = background
        self._turns = Turns()

    @property
    def _nodes(self) -> Mapping[int, TaskQueue]:
        """All members, this node among them."""
        return {self._known.number: self._own, **self._known.others}

    async def submit(self, spec: JobSpec, request_id: str = "") -> str:
        if not request_id:
            return await self._submit_anywhere(spec)
        for _ in range(_TRIES):
            home = self._known.membership.home_of(request_id)
            if home != self._known.number:
                try:
                    return await self._at(home, request_id=request_id).submit(spec, request_id)
                except NotHome:
                    if context.caller() == NODE:
                        raise
                    # One of the two has not learned yet of a change.
                    await self._known.exchange(home)
            elif job_id := await self._background.finish(self._accept(spec, request_id)):
                return job_id
        raise HomeMoving(request_id)

    async def repeat(self, spec: JobSpec, request_id: str, membership: Membership) -> str:
        """Answer a submit as a repeat of one that was accepted here, with "" if none was.

        From then on none is. Raises ``NotHome`` if a newer membership is known here.
        """
        self._known.adopt(membership)
        if self._known.membership.version > membership.version:
            raise NotHome(f"node {self._known.number}", request_id=request_id)
        return await self._background.finish(self._repeat(spec, request_id))

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

    async def _submit_anywhere(self, spec: JobSpec) -> str:
        """Accept a job here, or while this node leaves at another one."""
        if self._known.is_home or context.caller() == NODE:
            return await self._own.submit(spec)
        return await self._at(self._known.another_home()).submit(spec)

    async def _accept(self, spec: JobSpec, request_id: str) -> str:
        """Accept a job here unless an earlier home has; "" if this is its home no more.

        An earlier home that is asked takes over this membership, so it accepts none afterwards, and
        what it is about to accept it finishes before it answers. Later homes ask here, and wait for
        their turn.
        """
        async with self._turns.of(request_id):
            membership = self._known.membership
            if membership.home_of(request_id) != self._known.number:
                return ""
            if not self._knows(request_id):
                try:
                    if job_id := await self._repeated_elsewhere(spec, request_id, membership):
                        return job_id
                except NotHome:
                    return ""
            return await self._own.submit(spec, request_id)

    async def _repeated_elsewhere(
        self, spec: JobSpec, request_id: str, membership: Membership
    ) -> str:
        """Return the job that an earlier home accepted, "" if none did.

        Raises ``NotHome`` if one of them knows a newer membership, which is known here then.
        """
        for home in membership.earlier_homes(request_id):
            if (node := self._known.others.get(home)) is None:
                continue
            try:
                job_id = await node.repeat(spec, request_id, membership)
            except NotHome:
                await self._known.exchange(home)
                raise
            if job_id:
                return job_id
        return ""

    async def _repeat(self, spec: JobSpec, request_id: str) -> str:
        async with self._turns.of(request_id):
            return await self._own.submit(spec, request_id) if self._knows(request_id) else ""

    def _at_home(self, job_id: str) -> TaskQueue:
        home = ids.parse(job_id).home
        if home != self._known.number and home not in self._known.others:
            raise JobNotFound(job_id)
        return self._at(home, job_id=job_id)

    def _at(self, home: int, *, job_id: str = "", request_id: str = "") -> TaskQueue:
        if home == self._known.number:
            return self._own
        if context.caller() == NODE:
            raise NotHome(f"node {self._known.number}", job_id=job_id, request_id=request_id)
        return self._known.others[home]
