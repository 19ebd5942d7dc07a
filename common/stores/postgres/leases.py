"""Leases of entries: renewed, given back, or run out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from common.domain.job import MICROSECONDS, Execution
from common.ports import Clock, QueueObserver
from common.stores.postgres import queue_statements as statements
from common.stores.postgres.connection import Connection
from common.stores.postgres.marks import LowMark
from common.stores.postgres.members import LEASED, WAITING, Members

INSPECTED = MICROSECONDS
"""Microseconds between two searches for leases that have run out, of whichever process."""
_APART = MICROSECONDS // 4  # ends of our own that are closer together are met together
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
        self._ends: deque[int] = deque()
        self._inspect_at = 0
        self._low = LowMark(0)

    def took(self, until: int) -> None:
        """Note that leases of this process end then, unless they are renewed."""
        if not self._ends or until >= self._ends[-1] + _APART:
            self._ends.append(until)

    def until_one_ends(self) -> float:
        """Return the seconds until a lease of this process may have run out."""
        if not self._ends:
            return INSPECTED / MICROSECONDS
        return max(0.0, (self._ends[0] - self._clock.now()) / MICROSECONDS) + 0.001

    async def expire(self) -> None:
        """Show the entries again whose lease has run out, if any may have."""
        now = self._clock.now()
        if now < self._inspect_at and not (self._ends and self._ends[0] <= now):
            return
        while self._ends and self._ends[0] <= now:
            self._ends.popleft()
        self._inspect_at = now + INSPECTED
        while True:
            begin = self._low.begin()
            rows = await self._connection.rows("expire", statements.EXPIRE, now, begin, _BATCH)
            self._low.ended(begin)
            self._shown(rows)
            if len(rows) < _BATCH:
                self._low.note(now)
                return

    async def renew(self, executions: Sequence[Execution], lease: int) -> list[Execution]:
        """Renew leases by so many microseconds; returns those that had ended."""
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
        self.took(now + lease)
        renewed = {Execution(row["job_id"], row["attempt"]) for row in rows}
        return [each for each in executions if each not in renewed]

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
            self._members.add(WAITING)
            self._members.add(LEASED, -1)
            self._observer.redelivered(Execution(row["job_id"], row["attempt"]))
        if rows:
            self._on_shown()
