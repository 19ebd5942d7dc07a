"""The queue owner over PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from common.domain.errors import TaskQueueError
from common.domain.job import MAX_BATCH_BYTES, MICROSECONDS, Assignment, Execution, JobSpec
from common.owners.queue import KEPT_OUT
from common.ports import Clock, Dequeued, NewEntry, QueueObserver
from common.stores.postgres import queue_statements as statements
from common.stores.postgres.connection import Connection
from common.stores.postgres.entering import Entering
from common.stores.postgres.leases import Leases
from common.stores.postgres.marks import LowMark
from common.stores.postgres.members import BYTES, LEASED, WAITING, Members
from common.stores.postgres.sweeping import BATCH
from common.stores.postgres.waiters import Waking

LONGEST_WAIT = 1.0
"""Seconds after which who waits asks by itself."""
_SHORTEST_WAIT = 0.05
_SWEPT_EVERY = 60.0
# In line are those that were never leased; the others are before them.
_LINE = 0


class PostgresQueue:
    """The ``Queue`` port: entries that any number of processes lease.

    The limits ``max_jobs`` and ``max_bytes`` are kept exactly by one process, and by several within
    what they add in a second.
    """

    def __init__(
        self,
        connection: Connection,
        members: Members,
        clock: Clock,
        observer: QueueObserver,
        lease: float,
        max_jobs: int,
        max_bytes: int,
    ) -> None:
        self._connection = connection
        self._members = members
        self._clock = clock
        self.lease = int(lease * MICROSECONDS)
        self._low = LowMark(_LINE)
        self.waking = Waking(connection, members)
        self.entering = Entering(connection, members, max_jobs, max_bytes)
        self.leases = Leases(connection, members, clock, observer, self.waking.wake)
        self._since: int | None = None
        self._swept_at = 0.0
        # Others know only after a while that work is waited for here: until then ask more often.
        self._shortest = _SHORTEST_WAIT if members.shared else LONGEST_WAIT
        self._pause = self._shortest
        members.count_with(self._count)

    @property
    def waits(self) -> bool:
        """Whether a dequeue waits, or did since this was asked last."""
        return self.waking.has_waited()

    async def listen(self) -> None:
        """See to it that other processes can wake dequeues here. Raises ``TaskQueueError``."""
        await self.waking.listen()

    async def enqueue(self, entries: Sequence[NewEntry]) -> list[TaskQueueError | None]:
        """Add jobs at the end; one that is present stays where it is."""
        answers, added = await self.entering.enqueue(entries, self._clock.now())
        if added:
            self.waking.wake()
        return answers

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
        gone = set(remove)
        await self.leases.expire()
        kept = [each for each in renew if each.job_id not in gone]
        renewed = await self.leases.renew(kept, self.lease) if kept else set()
        if given_back := [each for each in release if each.job_id not in gone]:
            await self.leases.release(given_back)
        rung = self.waking.rung
        assignments = await self._take(max_jobs, remove)
        while max_jobs and not assignments and loop.time() < end and not self.waking.stopping:
            until = min(end - loop.time(), self._pause, self.leases.until_one_ends())
            await self.waking.wait(until, rung)
            self._pause = min(LONGEST_WAIT, 2 * self._pause)
            await self.leases.expire()
            rung = self.waking.rung
            assignments = await self._take(max_jobs, ())
        return Dequeued(assignments, [each for each in renew if each not in renewed])

    async def remove(self, job_ids: Sequence[str]) -> list[bool]:
        """Remove jobs, leased or not; returns which were present."""
        rows = await self._connection.rows("remove", statements.REMOVE, sorted(set(job_ids)))
        removed = {row["job_id"]: True for row in rows}
        self.removed(rows)
        return [removed.pop(job_id, False) for job_id in job_ids]

    async def keep_out(self, job_ids: Sequence[str]) -> list[bool]:
        """Refuse from now on the jobs that are not present; returns which those are."""
        rows = await self._connection.rows(
            "keep_out", statements.KEEP_OUT, list(job_ids), self._clock.now()
        )
        out = {row["job_id"] for row in rows}
        return [job_id in out for job_id in job_ids]

    async def sample(self) -> None:
        """Read the numbers of all who share the store, and delete what is forgotten."""
        await self._members.meet(self.waits)
        await self.sweep()

    async def sweep(self) -> None:
        """Read since when the first waits, and let in again what is kept out no longer.

        If this process does that for all.
        """
        if not self._members.leads:
            return
        begin = self._low.begin()
        rows = await self._connection.rows("first", statements.FIRST, begin)
        self._low.ended(begin)
        self._since = rows[0]["since"] if rows else None
        if time.monotonic() > self._swept_at + _SWEPT_EVERY:
            self._swept_at = time.monotonic()
            before = self._clock.now() - int(KEPT_OUT * MICROSECONDS)
            await self._connection.rows("sweep", statements.SWEEP, before, BATCH)

    def depth(self) -> int:
        """Number of entries that wait, as of the last sample; 0 if another process reports it."""
        return self._members.total(WAITING) if self._members.leads else 0

    def leased(self) -> int:
        """Number of entries that are leased; 0 if another process reports it."""
        return self._members.total(LEASED) if self._members.leads else 0

    def oldest_age(self) -> float:
        """Seconds that the first in line has waited, as of the last sample; 0 if none waits."""
        if self._since is None or not self._members.leads:
            return 0.0
        return max(0, self._clock.now() - self._since) / MICROSECONDS

    def stop_waiting(self) -> None:
        """Answer every waiting dequeue now, and later ones without waiting: the process stops."""
        self.waking.stop()

    def close(self) -> None:
        """Notify nobody any more."""
        self.waking.close()

    async def _take(self, max_jobs: int, remove: Sequence[str]) -> list[Assignment]:
        if not max_jobs and not remove:
            return []
        where = self.where_to_lease()
        arguments = (sorted(set(remove)), max_jobs, MAX_BATCH_BYTES, *where)
        rows = await self._connection.rows("dequeue", statements.DEQUEUE, *arguments)
        self.removed([row for row in rows if row["place"] is None])
        taken = self.leased_now([row for row in rows if row["place"] is not None], max_jobs, where)
        return [_assignment(row) for row in taken]

    def where_to_lease(self) -> tuple[int, int]:
        """Return until when a lease holds that is taken now, and from which place on to search."""
        return self._clock.now() + self.lease, self._low.begin()

    def leased_now(
        self, rows: Sequence[Any], most: int, where: tuple[int, int], pressing: bool = True
    ) -> Sequence[Any]:
        """Note what was leased, up to so many; returns the rows in the order of the line.

        It is ``pressing`` to wake another one for what may be left unless this one goes on.
        """
        until, begin = where
        self._low.ended(begin)
        taken = sorted(rows, key=_place)
        if taken:
            self._pause = self._shortest
            self._members.add(WAITING, -len(taken))
            self._members.add(LEASED, len(taken))
            self.leases.took([row["job_id"] for row in taken], until)
            if taken[-1]["place"] >= _LINE:
                self._low.note(taken[-1]["place"])
            if len(taken) == most:
                self.waking.wake(pressing)
        return taken

    def removed(self, rows: Sequence[Any]) -> None:
        """Note what was removed."""
        for row in rows:
            self.leases.ended(row["job_id"])
            self._members.add(LEASED if row["leased"] else WAITING, -1)
            self._members.add(BYTES, -row["size"])

    async def _count(self) -> Mapping[int, int]:
        (row,) = await self._connection.rows("count", statements.COUNT)
        return {WAITING: row["waiting"], LEASED: row["leased"], BYTES: row["bytes"]}


def _place(row: Any) -> int:
    place: int = row["place"]
    return place


def _assignment(row: Any) -> Assignment:
    spec = JobSpec(row["kind"], row["payload"], row["timeout"])
    return Assignment(Execution(row["job_id"], row["attempt"]), spec, row["correlation_id"])
