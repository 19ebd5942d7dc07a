"""Leases of entries: renewed, given back, or run out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from common.domain.job import MICROSECONDS, Execution
from common.ports import Clock, QueueObserver
from common.stores.postgres import queue_statements as statements
from common.stores.postgres.connection import Connection
from common.stores.postgres.marks import LowMark
from common.stores.postgres.members import LEASED, WAITING, Members

INSPECTED = MICROSECONDS
"""Microseconds between two searches for leases that have run out, of whichever process."""
_BATCH = 100


class Leases:
    """Shows entries again, ahead of all others; ``on_shown`` is called once some are."""

    def __init__(
        self,
        connection: Connection,
        members: Members,
        clock: Clock,
        observer: QueueObserver,
        on_shown: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._members = members
        self._clock = clock
        self._observer = observer
        self._on_shown = on_shown
        self._ends: OrderedDict[str, int] = OrderedDict()
        self._inspect_at = 0
        self._low = LowMark(0)

    def took(self, job_ids: Iterable[str], until: int) -> None:
        """Note that leases of this process end then, later than those that it took before."""
        for job_id in job_ids:
            self._ends[job_id] = until
            self._ends.move_to_end(job_id)

    def ended(self, job_id: str) -> None:
        """Note that a job is not leased any more."""
        self._ends.pop(job_id, None)

    def until_one_ends(self) -> float:
        """Return the seconds until a lease of this process may have run out."""
        end = next(iter(self._ends.values()), None)
        if end is None:
            return INSPECTED / MICROSECONDS
        return max(0.0, (end - self._clock.now()) / MICROSECONDS) + 0.001

    async def expire(self) -> None:
        """Show the entries again whose lease has run out, if any may have."""
        now = self._clock.now()
        if now < min(self._inspect_at, next(iter(self._ends.values()), self._inspect_at)):
            return
        while self._ends and next(iter(self._ends.values())) <= now:
            self._ends.popitem(last=False)
        self._inspect_at = now + INSPECTED
        while True:
            begin = self._low.begin()
            rows = await self._connection.rows("expire", statements.EXPIRE, now, begin, _BATCH)
            self._low.ended(begin)
            self._shown(rows)
            if len(rows) < _BATCH:
                self._low.note(now)
                return

    async def renew(self, executions: Sequence[Execution], lease: int) -> set[Execution]:
        """Renew leases by so many microseconds; returns those that had not ended."""
        now = self._clock.now()
        wanted = sorted(set(executions))
        rows = await self._connection.rows(
            "renew",
            statements.RENEW,
            [each.job_id for each in wanted],
            [each.attempt for each in wanted],
            now,
            now + lease,
        )
        self.took((row["job_id"] for row in rows), now + lease)
        return {Execution(row["job_id"], row["attempt"]) for row in rows}

    async def release(self, executions: Sequence[Execution]) -> None:
        """Show entries again at once, in the order in which they are given."""
        last_first = list(dict.fromkeys(reversed(executions)))
        rows = await self._connection.rows(
            "release",
            statements.RELEASE,
            [each.job_id for each in last_first],
            [each.attempt for each in last_first],
            self._clock.now(),
        )
        self._shown(rows)

    def _shown(self, rows: Sequence[Any]) -> None:
        for row in rows:
            self.ended(row["job_id"])
            self._members.add(WAITING)
            self._members.add(LEASED, -1)
            self._observer.redelivered(Execution(row["job_id"], row["attempt"]))
        if rows:
            self._on_shown()
