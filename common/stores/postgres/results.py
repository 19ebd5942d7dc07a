"""The result owner over PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.errors import ResultLost, TaskQueueError
from common.domain.job import MICROSECONDS, Execution
from common.owners.results import KEPT_LONGER
from common.ports import Clock
from common.stores.postgres.connection import Connection
from common.stores.postgres.marks import LowMark
from common.stores.postgres.sweeping import sweep

# With a time from which on what was stored is kept, being stored once more counts anew.
STORE = """
INSERT INTO results AS r SELECT job_id, attempt, output, $4
FROM unnest($1::text[], $2::integer[], $3::bytea[]) AS new (job_id, attempt, output)
ORDER BY job_id, attempt
ON CONFLICT (job_id, attempt) DO UPDATE SET stored = greatest(r.stored, excluded.stored),
    output = CASE WHEN r.stored > $5 THEN r.output ELSE excluded.output END
WHERE $5::bigint IS NOT NULL
RETURNING job_id, attempt, xmax = 0 AS new
"""
GET = """
SELECT job_id, attempt, output FROM unnest($1::text[], $2::integer[]) AS wanted (job_id, attempt)
JOIN results USING (job_id, attempt) WHERE $3::bigint IS NULL OR stored > $3
"""
SWEEP = """
DELETE FROM results USING (
    SELECT job_id, attempt FROM results WHERE stored > $2 AND stored <= $1
    ORDER BY stored LIMIT $3 FOR UPDATE SKIP LOCKED
) AS over
WHERE results.job_id = over.job_id AND results.attempt = over.attempt
RETURNING 1
"""


class PostgresResults:
    """The ``Results`` port: one row for each execution."""

    def __init__(self, connection: Connection, clock: Clock, retention: float) -> None:
        self._connection = connection
        self._clock = clock
        self._kept = int((retention + KEPT_LONGER) * MICROSECONDS) if retention else 0
        self._low = LowMark(0)

    async def store(self, results: Sequence[tuple[Execution, bytes]]) -> list[bool]:
        """Store outputs; returns which were stored, that is, were not there before."""
        first: dict[Execution, bytes] = {}
        for execution, output in results:
            first.setdefault(execution, output)
        rows = await self._connection.rows(
            "store",
            STORE,
            [execution.job_id for execution in first],
            [execution.attempt for execution in first],
            list(first.values()),
            self._clock.now(),
            self.over(),
        )
        new = {(row["job_id"], row["attempt"]) for row in rows if row["new"]}
        stored = []
        for execution, _ in results:
            stored.append(execution in new)
            new.discard(execution)
        return stored

    async def get(self, executions: Sequence[Execution]) -> list[bytes | TaskQueueError]:
        """Read outputs; one that is not there gives ``ResultLost``."""
        if not executions:
            return []
        rows = await self._connection.rows(
            "fetch",
            GET,
            [execution.job_id for execution in executions],
            [execution.attempt for execution in executions],
            self.over(),
        )
        found = {Execution(row["job_id"], row["attempt"]): row["output"] for row in rows}
        return [found.get(each, ResultLost(each.job_id)) for each in executions]

    async def sweep(self) -> None:
        """Delete what is kept no longer."""
        if (over := self.over()) is not None:
            await sweep(self._connection, SWEEP, over, self._low)

    def over(self) -> int | None:
        """Return when that was stored which is forgotten by now; ``None`` if nothing ever is."""
        return self._clock.now() - self._kept if self._kept else None
