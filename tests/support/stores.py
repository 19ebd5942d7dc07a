"""Stores in a test, asked for one job at a time, with a clock to turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from common.config import Settings
from common.domain.ids import IdMint
from common.domain.job import Execution, Failure, Job, JobSpec, JobState
from common.domain.paging import JobQuery
from common.ports import NewEntry, NewJob, Transition
from common.stores.memory import MemoryStore
from common.stores.store import Store, StoredJobs, StoredQueue
from tests.support.owners import HandClock, Silence

LEASE = 6.0
OpenStore = Callable[..., Store]
OpenQueue = Callable[..., "Queue"]


class Jobs:
    """Job metadata and state in a store."""

    def __init__(self, store: Store, clock: HandClock, home: int = 0) -> None:
        self.clock = clock
        self.observer = Silence()
        self.owner: StoredJobs = store.jobs(IdMint(home, 1), self.observer)

    async def create(
        self, kind: str = "noop", request_id: str = "", digest: bytes = b"", submit_id: str = ""
    ) -> Any:
        (answer,) = await self.owner.create([NewJob(kind, request_id, digest, submit_id)])
        return answer

    async def step(self, job: Job, target: JobState, attempt: int = 1) -> Any:
        failure = Failure("X", "x") if target is JobState.FAILED else None
        step = Transition(Execution(job.id, attempt), target, "w", failure)
        (answer,) = await self.owner.transition([step])
        return answer

    async def cancel(self, job: Job) -> Any:
        (answer,) = await self.owner.set_cancel_requested([job.id])
        return answer

    async def forget(self, job: Job) -> Any:
        (answer,) = await self.owner.forget([job.id])
        return answer

    async def withdraw(self, job: Job, submit_id: str = "") -> Any:
        return await self.owner.withdraw(submit_id, job.id)

    async def withdraw_unanswered(self, submit_id: str) -> None:
        assert await self.owner.withdraw(submit_id) is None

    async def get(self, job_id: str) -> Any:
        return (await self.owner.get([job_id]))[0]

    async def page(self, **query: Any) -> list[str]:
        return [job.id for job in await self.owner.page(JobQuery(**query))]

    async def counts(self) -> Mapping[JobState, int]:
        await self.owner.sample()
        return self.owner.counts()


class Queue:
    """Queue membership in a store."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.clock = clock
        self.observer = Silence()
        self.owner: StoredQueue = store.queue(self.observer)

    async def enqueue(self, *job_ids: str, payload: bytes = b"") -> list[object]:
        entries = [NewEntry(job_id, JobSpec("noop", payload)) for job_id in job_ids]
        return list(await self.owner.enqueue(entries))

    async def lease(self, count: int) -> list[Execution]:
        dequeued = await self.owner.dequeue(count)
        return [assignment.execution for assignment in dequeued.assignments]

    async def renew(self, *executions: Execution) -> list[Execution]:
        return (await self.owner.dequeue(0, renew=executions)).lost

    async def release(self, executions: Sequence[Execution]) -> None:
        await self.owner.dequeue(0, release=executions)

    async def depth(self) -> int:
        await self.owner.sample()
        return self.owner.depth()

    async def leased(self) -> int:
        await self.owner.sample()
        return self.owner.leased()

    async def oldest_age(self) -> float:
        await self.owner.sample()
        return self.owner.oldest_age()


def settings_of(name: str = "store", **given: Any) -> Settings:
    """Return settings of a process that serves nowhere."""
    return Settings(name, listen="", metrics="", **{"lease": LEASE, **given})


def memory_jobs() -> Jobs:
    """Return job metadata and state in memory."""
    clock = HandClock()
    return Jobs(MemoryStore(settings_of(), clock), clock)


class Unwatched:
    """Observes nothing of what a store is asked."""

    def asked(self, operation: str, seconds: float) -> None:
        pass

    def failed(self, reason: str) -> None:
        pass

    def connected(self, store: str, address: str) -> None:
        pass


class Asked(Unwatched):
    """Observes what a store has answered."""

    def __init__(self) -> None:
        self.operations: list[str] = []

    def asked(self, operation: str, seconds: float) -> None:
        self.operations.append(operation)
