"""The flows and owners of a whole task queue, in one process, whose ports can be made to fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from common.domain.errors import OwnerUnreachable
from common.domain.ids import IdMint
from common.domain.job import JobSpec, JobState, Outcome
from common.flows.background import Background
from common.flows.coordinator import WorkCoordinator
from common.flows.leftovers import Leftovers
from common.flows.public import OwnedTaskQueue
from common.owners.jobs import JobOwner
from common.owners.liveness import LivenessOwner
from common.owners.queue import QueueOwner
from common.owners.results import ResultOwner
from tests.support.owners import HandClock, Silence

SPEC = JobSpec("noop")


DONE = Outcome(JobState.DONE, b"out")


class Faulty:
    """Stands before a port; a method named in ``broken`` fails, before or after it took effect."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.broken: dict[str, str] = {}

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **named: Any) -> Any:
            when = self.broken.get(name)
            if when == "before":
                raise OwnerUnreachable("owner", "cut")
            answer = await getattr(self._port, name)(*arguments, **named)
            if when == "after":
                raise OwnerUnreachable("owner", "cut")
            return answer

        return call


class Stack:
    """A whole task queue whose three ports can be made to fail."""

    def __init__(self, max_jobs: int = 10) -> None:
        self.clock = HandClock()
        observer = Silence()
        self.queue_owner = QueueOwner(self.clock, observer, 6.0, max_jobs, 1000)
        self.job_owner = JobOwner(IdMint(0, 0), self.clock, observer)
        self.jobs, self.queue = Faulty(self.job_owner), Faulty(self.queue_owner)
        self.results = Faulty(ResultOwner(self.clock))
        self.background = Background()
        self.client = OwnedTaskQueue(self.jobs, self.queue, self.results, self.background)
        self.leftovers = Leftovers(self.jobs, self.queue)
        self.liveness = LivenessOwner(self.clock, 3.0)
        self.coordinator = WorkCoordinator(
            self.liveness, self.jobs, self.queue, self.results, 6.0, self.background
        )

    async def run(self, work: Awaitable[Any]) -> Any:
        """Wait for the work, and then for what it left to the background."""
        try:
            return await work
        finally:
            await self.background.drain()

    async def states(self) -> list[JobState]:
        return [job.state for job in (await self.run(self.client.list_jobs(None, "", 0, ""))).jobs]

    async def fetch(self) -> Any:
        return await self.run(self.coordinator.fetch("w", 5, 5, 0.0))
