"""The queue owner over PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any

from common.domain.errors import QueueFull, SubmitWithdrawn, TaskQueueError
from common.domain.job import MAX_BATCH_BYTES, MICROSECONDS, Assignment, Execution, JobSpec
from common.owners.queue import KEPT_OUT
from common.ports import Clock, Dequeued, NewEntry, QueueObserver
from common.stores.postgres import queue_statements as statements
from common.stores.postgres.connection import Connection

LONGEST_WAIT = 1.0
"""Seconds after which who waits looks by itself."""
LAG = 0.5
"""Seconds that a statement may take to be committed: places up to then may still show up."""


class PostgresQueue:
    """The ``Queue`` port: entries that any number of processes lease.

    The limits hold exactly for one process, and for several within what they add in a second.
    """

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
        self._lease = int(lease * MICROSECONDS)
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._jobs: int | None = None
        self._bytes = self._depth = self._leased = 0
        self._since: int | None = None
        self._next_end: int | None = 0
        self._taken = _Places()
        self._waiters: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._stopping = False

    async def enqueue(self, entries: Sequence[NewEntry]) -> list[TaskQueueError | None]:
        """Add jobs at the end; one that is present stays where it is."""
        if self._jobs is None:
            await self.sample()
        refused = {each.job_id: self._over_limit(each) for each in entries}
        wanted = {each.job_id: each for each in entries if refused[each.job_id] is None}
        rows = await self._connection.rows(
            statements.ENQUEUE,
            list(wanted),
            [each.spec.kind for each in wanted.values()],
            [each.spec.payload for each in wanted.values()],
            [each.spec.execution_timeout for each in wanted.values()],
            [each.correlation_id for each in wanted.values()],
            self._clock.now(),
        )
        added = {row["job_id"] for row in rows}
        for job_id in wanted.keys() - added:
            self._count(-1, -len(wanted[job_id].spec.payload))
        known = await self._known([job_id for job_id in refused if job_id not in added])
        self._wake()
        return [known.get(each.job_id, refused[each.job_id]) for each in entries]

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
        await self._expire()
        lost = await self._renew(renew) if renew else []
        if release:
            await self._release(release)
        assignments = await self._take(max_jobs, remove)
        while max_jobs and not assignments and loop.time() < end and not self._stopping:
            await self._wait(min(end - loop.time(), LONGEST_WAIT, self._until_lease_ends()))
            await self._expire()
            assignments = await self._take(max_jobs, ())
        return Dequeued(assignments, lost)

    async def remove(self, job_ids: Sequence[str]) -> list[bool]:
        """Remove jobs, leased or not; returns which were present."""
        rows = await self._connection.rows(statements.REMOVE, list(job_ids))
        removed = {row["job_id"]: row["size"] for row in rows}
        self._count(-len(removed), -sum(removed.values()))
        return [removed.pop(job_id, None) is not None for job_id in job_ids]

    async def keep_out(self, job_ids: Sequence[str]) -> list[bool]:
        """Refuse from now on the jobs that are not present; returns which those are."""
        rows = await self._connection.rows(statements.KEEP_OUT, list(job_ids), self._clock.now())
        out = {row["job_id"] for row in rows}
        return [job_id in out for job_id in job_ids]

    async def sample(self) -> None:
        """Read what the gauges and limits need, and delete what is kept out no longer."""
        await self._connection.rows(
            statements.SWEEP, self._clock.now() - int(KEPT_OUT * MICROSECONDS)
        )
        (row,) = await self._connection.rows(statements.MEASURE)
        self._depth, self._leased, self._since = row["depth"], row["leased"], row["since"]
        self._jobs, self._bytes = row["depth"] + row["leased"], int(row["bytes"])

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
        while self._waiters:
            self._wake()

    def _over_limit(self, entry: NewEntry) -> TaskQueueError | None:
        """Count an entry in, unless that is over a limit."""
        size = len(entry.spec.payload)
        if (self._jobs or 0) >= self._max_jobs:
            return QueueFull("max_queued_jobs", self._max_jobs)
        if self._bytes + size > self._max_bytes:
            return QueueFull("max_queued_bytes", self._max_bytes)
        self._count(1, size)
        return None

    def _count(self, jobs: int, size: int) -> None:
        self._jobs = (self._jobs or 0) + jobs
        self._bytes += size

    async def _known(self, job_ids: Sequence[str]) -> dict[str, TaskQueueError | None]:
        """Return what is in the way of those that were not added but are known."""
        if not job_ids:
            return {}
        rows = await self._connection.rows(statements.KNOWN, list(job_ids))
        return {
            row["job_id"]: SubmitWithdrawn(f"job {row['job_id']}") if row["out"] else None
            for row in rows
        }

    async def _take(self, max_jobs: int, remove: Sequence[str]) -> list[Assignment]:
        if not max_jobs and not remove:
            return []
        until = self._clock.now() + self._lease
        rows = await self._connection.rows(
            statements.DEQUEUE, list(remove), max_jobs, MAX_BATCH_BYTES, until, self._taken.lowest()
        )
        taken = sorted((row for row in rows if row["place"] is not None), key=_place)
        removed = [row["size"] for row in rows if row["place"] is None]
        self._count(-len(removed), -sum(removed))
        if taken:
            self._next_end = min(until, self._next_end or until)
            self._taken.note(taken[-1]["place"])
            if len(taken) == max_jobs:
                self._wake()
        return [_assignment(row) for row in taken]

    async def _expire(self) -> None:
        """Show the entries again whose lease has run out, once one may have."""
        now = self._clock.now()
        if self._next_end is None or now < self._next_end:
            return
        self._shown(await self._connection.rows(statements.EXPIRE, now))
        (row,) = await self._connection.rows(statements.NEXT_END)
        self._next_end = row["next_end"]

    async def _renew(self, renew: Sequence[Execution]) -> list[Execution]:
        now = self._clock.now()
        job_ids, attempts = [each.job_id for each in renew], [each.attempt for each in renew]
        rows = await self._connection.rows(
            statements.RENEW, job_ids, attempts, now, now + self._lease
        )
        renewed = {Execution(row["job_id"], row["attempt"]) for row in rows}
        return [each for each in renew if each not in renewed]

    async def _release(self, release: Sequence[Execution]) -> None:
        job_ids, attempts = [each.job_id for each in release], [each.attempt for each in release]
        now = self._clock.now()
        self._shown(await self._connection.rows(statements.RELEASE, job_ids, attempts, now))

    def _shown(self, rows: Sequence[Any]) -> None:
        for row in rows:
            self._observer.redelivered(Execution(row["job_id"], row["attempt"]))
        if rows:
            self._taken.forget()
            self._wake()

    async def _wait(self, seconds: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None
        try:
            await asyncio.wait([waiter], timeout=max(0.0, seconds))
        except asyncio.CancelledError:
            if waiter.done():
                self._wake()
            raise
        finally:
            self._waiters.pop(waiter, None)

    def _until_lease_ends(self) -> float:
        if self._next_end is None:
            return LONGEST_WAIT
        return max(0.0, (self._next_end - self._clock.now()) / MICROSECONDS) + 0.001

    def _wake(self) -> None:
        """Wake whoever has waited longest."""
        if self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            waiter.set_result(None)


class _Places:
    """From which place on entries can wait, as far as that is certain.

    What was taken before that is dead, and stays in the index for as long as a snapshot is held
    anywhere: a search from the beginning would go through all of it. Now and then one does.
    """

    AFRESH = 5.0

    def __init__(self) -> None:
        self._taken: deque[tuple[float, int]] = deque()
        self._low = statements.LOWEST
        self._searched = time.monotonic()

    def note(self, place: int) -> None:
        """Note the last place that was taken."""
        self._taken.append((time.monotonic(), place))

    def lowest(self) -> int:
        """Return the place at which to begin."""
        now = time.monotonic()
        if now - self._searched > self.AFRESH:
            self._searched = now
            return statements.LOWEST
        while self._taken and self._taken[0][0] < now - LAG:
            self._low = max(self._low, self._taken.popleft()[1])
        return self._low

    def forget(self) -> None:
        """Begin anew: something was shown again."""
        self._taken.clear()
        self._low = statements.LOWEST


def _place(row: Any) -> int:
    place: int = row["place"]
    return place


def _assignment(row: Any) -> Assignment:
    spec = JobSpec(row["kind"], row["payload"], row["timeout"])
    return Assignment(Execution(row["job_id"], row["attempt"]), spec, row["correlation_id"])
