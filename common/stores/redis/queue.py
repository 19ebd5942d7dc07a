"""The queue owner over Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from typing import Any

from common.domain.errors import QueueFull, SubmitWithdrawn, TaskQueueError
from common.domain.job import MAX_BATCH_BYTES, MICROSECONDS, Assignment, Execution, JobSpec
from common.owners.queue import KEPT_OUT
from common.ports import Clock, Dequeued, NewEntry, QueueObserver
from common.stores.redis.bell import Bell
from common.stores.redis.connection import Connection


class RedisQueue:
    """The ``Queue`` port: entries that any number of processes lease."""

    def __init__(
        self,
        connection: Connection,
        bell: Bell,
        clock: Clock,
        observer: QueueObserver,
        lease: float,
        max_jobs: int,
        max_bytes: int,
    ) -> None:
        self._connection = connection
        self._bell = bell
        self._clock = clock
        self._observer = observer
        self.lease = int(lease * MICROSECONDS)
        self.limits = max_jobs, max_bytes
        self._next_end: int | None = None
        self._depth = self._leased = 0
        self._since: int | None = None
        self._stopping = False
        self._returning: set[asyncio.Task[Dequeued]] = set()

    async def enqueue(self, entries: Sequence[NewEntry]) -> list[TaskQueueError | None]:
        """Add jobs at the end; one that is present stays where it is."""
        arguments: list[Any] = [_KEPT_OUT, *self.limits]
        for entry in entries:
            spec = entry.spec
            timeout = "" if spec.execution_timeout is None else spec.execution_timeout
            arguments += (entry.job_id, spec.kind, spec.payload, timeout, entry.correlation_id)
        words = await self._run("enqueue", *arguments)
        return [
            self.refusal(word, entry.job_id) for entry, word in zip(entries, words, strict=True)
        ]

    async def dequeue(
        self,
        max_jobs: int,
        max_wait: float = 0.0,
        renew: Sequence[Execution] = (),
        release: Sequence[Execution] = (),
        remove: Sequence[str] = (),
    ) -> Dequeued:
        """Renew, release and remove at once; then lease, waiting if there is nothing to lease."""
        loop = asyncio.get_running_loop()
        end = loop.time() + max_wait
        taken = await self._take(max_jobs, renew, release, remove)
        lost = taken.lost
        while max_jobs and not taken.assignments and not self._stopping:
            if (left := end - loop.time()) <= 0:
                break
            await self._bell.wait(min(left, self._until_lease_ends()))
            taken = await self._take(max_jobs)
        return Dequeued(taken.assignments, lost)

    async def remove(self, job_ids: Sequence[str]) -> list[bool]:
        """Remove jobs, leased or not; returns which were present."""
        return [present == 1 for present in await self._run("remove", *job_ids)]

    async def keep_out(self, job_ids: Sequence[str]) -> list[bool]:
        """Refuse from now on the jobs that are not present; returns which those are."""
        return [absent == 1 for absent in await self._run("keep_out", _KEPT_OUT, *job_ids)]

    async def sample(self) -> None:
        """Read depth, leases and the age of the first in line."""
        depth, leased, since = await self._run("measure")
        self._depth, self._leased = depth, leased
        self._since = int(since) if since else None

    def pause(self) -> None:
        """Report nothing of what is sampled until the next sample: another process does."""
        self._depth = self._leased = 0
        self._since = None

    def depth(self) -> int:
        """Number of entries that wait, as of the last sample."""
        return self._depth

    def leased(self) -> int:
        """Number of entries that are leased, as of the last sample."""
        return self._leased

    def oldest_age(self) -> float:
        """Seconds that the first in line has waited, as of the last sample; 0 if none waits."""
        return 0.0 if self._since is None else (self._clock.now() - self._since) / MICROSECONDS

    def stop_waiting(self) -> None:
        """Answer every waiting dequeue now, and later ones without waiting: the process stops."""
        self._stopping = True
        self._bell.wake_all()

    async def _run(self, script: str, *arguments: Any) -> Any:
        return await self._connection.run(script, self._clock.now(), *arguments)

    async def _take(self, max_jobs: int, *given: Sequence[Any]) -> Dequeued:
        """Lease what is there. What a caller that leaves would have got is released."""
        trip = asyncio.create_task(self._trip(max_jobs, *given))
        try:
            return await asyncio.shield(trip)
        except asyncio.CancelledError:
            self._returning.add(trip)
            trip.add_done_callback(self._give_back)
            raise

    def _give_back(self, trip: asyncio.Task[Dequeued]) -> None:
        self._returning.discard(trip)
        # If that fails, their leases end.
        if trip.cancelled() or trip.exception() or not trip.result().assignments:
            return
        executions = [each.execution for each in trip.result().assignments]
        # The caller's time may be over.
        giving = asyncio.create_task(self._trip(0, release=executions), context=Context())
        self._returning.add(giving)
        giving.add_done_callback(self._give_back)

    async def _trip(
        self,
        max_jobs: int,
        renew: Sequence[Execution] = (),
        release: Sequence[Execution] = (),
        remove: Sequence[str] = (),
    ) -> Dequeued:
        arguments: list[Any] = [self.lease, max_jobs, MAX_BATCH_BYTES]
        arguments += (len(remove), len(renew), len(release), *remove)
        for execution in (*renew, *release):
            arguments += execution
        lost, taken, next_end, redelivered = await self._connection.run(
            "dequeue", self._clock.now(), *arguments
        )
        self.observe(redelivered)
        self.lease_ends(next_end)
        return Dequeued([assignment(each) for each in taken], [renew[place] for place in lost])

    def lease_ends(self, at: bytes) -> None:
        """Note when the next lease ends, if there is any: then there is something to be had."""
        self._next_end = int(float(at)) if at else None

    def _until_lease_ends(self) -> float:
        if self._next_end is None:
            return float("inf")
        return max(0.0, (self._next_end - self._clock.now()) / MICROSECONDS) + 0.001

    def observe(self, redelivered: Sequence[Sequence[bytes]]) -> None:
        """Report leases that ended."""
        for job_id, attempt in redelivered:
            self._observer.redelivered(Execution(job_id.decode(), int(attempt)))

    def refusal(self, word: bytes, job_id: str = "") -> TaskQueueError | None:
        """Return the error for what is in the way of an entry, if anything is."""
        if word == b"out":
            return SubmitWithdrawn(f"job {job_id}")
        if word == b"jobs":
            return QueueFull("max_queued_jobs", self.limits[0])
        if word == b"bytes":
            return QueueFull("max_queued_bytes", self.limits[1])
        return None


_KEPT_OUT = int(KEPT_OUT * MICROSECONDS)


def assignment(taken: Sequence[Any]) -> Assignment:
    """Read what a script leased."""
    job_id, attempt, kind, payload, timeout, correlation = taken
    spec = JobSpec(kind.decode(), payload, int(timeout) if timeout else None)
    return Assignment(Execution(job_id.decode(), int(attempt)), spec, correlation.decode())
