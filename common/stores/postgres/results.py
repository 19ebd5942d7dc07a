"""The result owner over PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.errors import ResultLost, TaskQueueError
from common.domain.job import MICROSECONDS, Execution
from common.owners.results import KEPT_LONGER
from common.ports import Clock
from common.stores.postgres.connection import Connection

STORE = """
INSERT INTO results SELECT *, $4 FROM unnest($1::text[], $2::integer[], $3::bytea[])
ON CONFLICT DO NOTHING RETURNING job_id, attempt
"""
GET = """
SELECT job_id, attempt, output FROM unnest($1::text[], $2::integer[]) AS wanted (job_id, attempt)
JOIN results USING (job_id, attempt)
"""


class PostgresResults:
    """The ``Results`` port: one row for each execution."""

    def __init__(self, connection: Connection, clock: Clock, retention: float) -> None:
        self._connection = connection
        self._clock = clock
        self._kept = int((retention + KEPT_LONGER) * MICROSECONDS) if retention else 0

    async def store(self, results: Sequence[tuple[Execution, bytes]]) -> list[bool]:
        """Store outputs; returns which were stored, that is, were not there before."""
        rows = await self._connection.rows(
            STORE,
            [execution.job_id for execution, _ in results],
            [execution.attempt for execution, _ in results],
            [output for _, output in results],
            self._clock.now(),
        )
        new = {(row["job_id"], row["attempt"]) for row in rows}
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
            GET,
            [execution.job_id for execution in executions],
            [execution.attempt for execution in executions],
        )
        found = {Execution(row["job_id"], row["attempt"]): row["output"] for row in rows}
        return [found.get(each, ResultLost(each.job_id)) for each in executions]
