"""The processes that share a database, and the numbers of what is in it.

To count rows takes as long as there are rows. So each process adds up what it changes, and once a
second says so in a row of its own, and reads those of the others. One of them, the first by name,
reports the totals for all; it counts the rows when it comes to that, and every ten minutes.

The numbers may be wrong, until that, by what a process changed in the second before it was killed,
and by statements whose answer was lost.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from common.domain.job import MICROSECONDS, JobState
from common.stores.postgres.connection import Connection

WAITING, LEASED, BYTES = 5, 6, 7
"""Where the numbers of the queue are; those of the states of jobs are before them."""
_NUMBERS = 8

ALIVE = 3.0
"""Seconds for which one is taken to be there that was seen."""
_FORGOTTEN = 60.0
_COUNTED_EVERY = 600.0
_COUNTED_AT_MOST_EVERY = 60.0

MEET = """
WITH t AS MATERIALIZED (
    SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
), mine AS (
    INSERT INTO members SELECT $1, now, $2, $3::bigint[] FROM t
    ON CONFLICT (name) DO UPDATE
    SET seen = excluded.seen, waits = excluded.waits, numbers = excluded.numbers
)
SELECT now, name, seen, waits, numbers FROM t LEFT JOIN members ON name <> $1
"""

COUNTED = """
WITH gone AS (DELETE FROM members WHERE name <> '' AND seen < $3)
INSERT INTO members VALUES ('', $1, false, $2::bigint[])
ON CONFLICT (name) DO UPDATE SET seen = excluded.seen, numbers = excluded.numbers
"""

Count = Callable[[], Awaitable[Mapping[int, int]]]


def of_state(state: JobState) -> int:
    """Return where the number of the jobs in a state is."""
    return state - 1


class Members:
    """One of them, of that ``name``; ``shared`` says whether there may be others."""

    def __init__(self, connection: Connection, name: str, shared: bool) -> None:
        self._connection = connection
        # A process that starts again has another row than the one that it was before.
        self._name = f"{name} {secrets.token_hex(4)}"
        self._own = [0] * _NUMBERS
        self._others: Sequence[int] = [0] * _NUMBERS
        self._counts: list[Count] = []
        self._counted_at: float | None = None
        self._unanswered = 0
        self.shared = shared
        self.met = False
        """Whether the numbers of the others are known."""
        self.leads = False
        """Whether this process reports for all."""
        self.others_wait = False
        """Whether another process waits for work."""

    def count_with(self, count: Count) -> None:
        """Have some of the numbers counted so."""
        self._counts.append(count)

    def add(self, number: int, change: int = 1) -> None:
        """Add what this process has changed."""
        self._own[number] += change

    def total(self, number: int) -> int:
        """Return a number of all together."""
        return max(0, self._own[number] + self._others[number])

    async def meet(self, waits: bool = False) -> int:
        """Say what this process changed, and read what the others did; count if that is due.

        ``waits`` says that it waits for work. Returns the time of the server in microseconds.
        """
        rows = await self._connection.rows("meet", MEET, self._name, waits, self._own)
        now: int = rows[0]["now"]
        others = [row for row in rows if row["name"] is not None]
        alive = [
            row for row in others if row["name"] and row["seen"] > now - int(ALIVE * MICROSECONDS)
        ]
        self._others = _sum(others)
        self.others_wait = any(row["waits"] for row in alive)
        led, self.leads = self.leads, all(self._name < row["name"] for row in alive)
        if self.leads and self._is_count_due(led, any(not row["name"] for row in others)):
            await self._count(now, others)
        self.met = True
        return now

    def _is_count_due(self, led: bool, counted: bool) -> bool:
        if not led or not counted or self._counted_at is None:
            return True
        age = time.monotonic() - self._counted_at
        doubtful = self._connection.unanswered != self._unanswered
        return age > (_COUNTED_AT_MOST_EVERY if doubtful else _COUNTED_EVERY)

    async def _count(self, now: int, others: Sequence[Any]) -> None:
        forgotten = now - int(_FORGOTTEN * MICROSECONDS)
        left = [row for row in others if row["name"] and row["seen"] >= forgotten]
        changed = [a + b for a, b in zip(self._own, _sum(left), strict=True)]
        self._unanswered = self._connection.unanswered
        found: dict[int, int] = {}
        for count in self._counts:
            found.update(await count())
        base = [found.get(number, 0) - changed[number] for number in range(_NUMBERS)]
        await self._connection.rows("meet", COUNTED, now, base, forgotten)
        self._counted_at = time.monotonic()
        self._others = [a + b for a, b in zip(base, _sum(left), strict=True)]


def _sum(rows: Sequence[Any]) -> list[int]:
    return [sum(row["numbers"][number] for row in rows) for number in range(_NUMBERS)]
