"""The queue owner over Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis import exceptions

from common.domain.errors import QueueFull, SubmitWithdrawn, TaskQueueError
from common.domain.job import MAX_BATCH_BYTES, MICROSECONDS, Assignment, Execution, JobSpec
from common.owners.queue import KEPT_OUT
from common.ports import Clock, Dequeued, NewEntry, QueueObserver
from common.stores.redis.connection import Connection

LONGEST_WAIT = 1.0
"""Seconds after which who waits looks by itself: a token may be lost with whom it woke."""


class RedisQueue:
    """The ``Queue`` port: entries that any number of processes lease."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        observer: QueueObserver,
        lease: float,
        max_jobs: int,
        max_bytes: int,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._observer = observer
        self.lease = int(lease * MICROSECONDS)
        self.limits = max_jobs, max_bytes
        self._next_end: int | None = None
        self._depth = self._leased = 0
        self._since: int | None = None
        self._stopping = asyncio.Event()

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
        while max_jobs and not taken.assignments and not self._stopping.is_set():
            left = min(end - loop.time(), LONGEST_WAIT, self._until_lease_ends())
            if end <= loop.time():
                break
            await self._wait(left)
            taken = Dequeued((await self._take(max_jobs)).assignments, taken.lost)
        return taken

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
        self._stopping.set()

    async def _run(self, script: str, *arguments: Any) -> Any:
        words, redelivered = await self._connection.run(script, self._clock.now(), *arguments)
        self.observe(redelivered)
        return words

    async def _take(
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
        self.next_lease_ends(next_end)
        return Dequeued([assignment(each) for each in taken], [renew[place] for place in lost])

    def next_lease_ends(self, at: bytes) -> None:
        """Note when the next lease ends, if there is any: then there is something to be had."""
        self._next_end = int(float(at)) if at else None

    async def _wait(self, seconds: float) -> None:
        """Wait until an entry may have come, but no longer than ``seconds``, or for the stop."""
        waking = asyncio.ensure_future(self._token(max(0.01, seconds)))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({waking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not waking.done():
                waking.cancel()
        if waking.done() and not waking.cancelled():
            waking.result()

    async def _token(self, seconds: float) -> None:
        try:
            await self._connection.redis.blpop(["wake"], seconds)
        except exceptions.RedisError as error:
            raise self._connection.translated(error) from error

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
