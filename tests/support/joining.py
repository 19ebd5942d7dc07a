"""A process whose worker exchanges while clients submit, over a store that is outside of it."""

from __future__ import annotations

import asyncio
from typing import Any

from common.domain.ids import IdMint
from common.domain.job import Execution, Job, JobSpec, JobState, Outcome
from common.domain.paging import JobQuery
from common.ports import Exchanged, NewJob, Submission
from common.stores.store import Store
from tests.support.owners import Silence
from tests.support.stores import Asked

TOGETHER = "exchange_and_accept"
JOBS = 4
"""How many jobs wait at first."""


class Node:
    """A process whose worker exchanges while clients submit."""

    def __init__(self, store: Store, asked: Asked) -> None:
        self.asked = asked
        self.store = store
        self.jobs = store.jobs(IdMint(0, 1), Silence())
        self.queue = store.queue(Silence())
        self.results = store.results()
        state = store.shared()
        assert state is not None
        self.state = state

    async def fill(self) -> None:
        """Have some jobs wait."""
        for _ in range(JOBS):
            await self.accept()

    async def accept(self, request_id: str = "", digest: bytes = b"d", submit_id: str = "") -> Any:
        new = NewJob("noop", request_id, digest, submit_id)
        (answer,) = await self.state.accept([Submission(new, JobSpec("noop"))])
        return answer

    async def exchange(self, *ended: Execution, output: bytes = b"out") -> Exchanged:
        """Report jobs as DONE and take the next one."""
        done = Outcome(JobState.DONE, output)
        return await self.state.exchange("w", [(each, done) for each in ended], 1)

    async def take(self, *ended: Execution) -> Execution:
        (assignment,) = (await self.exchange(*ended)).leased
        return assignment.execution

    async def state_of(self, job_id: str) -> JobState:
        (job,) = await self.jobs.get([job_id])
        assert isinstance(job, Job)
        return job.state

    async def waiting_accept(self, **given: Any) -> tuple[Execution, asyncio.Task[Any]]:
        """Return what the worker runs, and an accept that goes along with its next exchange.

        If that comes at once: whatever else is awaited first, the accept goes alone.
        """
        first = await self.take()
        second = asyncio.create_task(self.take(first))
        accepting = asyncio.create_task(self.accept(**given))
        return await second, accepting


async def assert_one_job(node: Node, request_id: str, submit_id: str) -> None:
    """Check that a submit of which nobody knows what came of it, sent again, makes one job."""
    first = await node.accept(request_id=request_id, submit_id=submit_id)
    again = await node.accept(request_id=request_id, submit_id="another")
    assert first.id == again.id
    assert len(await node.jobs.page(JobQuery(limit=100))) == JOBS + 1
