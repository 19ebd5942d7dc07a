"""The result owner over Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.domain.errors import ResultLost, TaskQueueError
from common.domain.job import Execution
from common.owners.results import KEPT_LONGER
from common.stores.redis.connection import Connection


def kept(retention: float) -> int:
    """Return for how many milliseconds an output is kept, 0 for ever; ``retention`` in seconds."""
    return round((retention + KEPT_LONGER) * 1000) if retention else 0


class RedisResults:
    """The ``Results`` port: one value for each execution."""

    def __init__(self, connection: Connection, retention: float) -> None:
        self._connection = connection
        self._kept = kept(retention)

    async def store(self, results: Sequence[tuple[Execution, bytes]]) -> list[bool]:
        """Store outputs; returns which were stored, that is, were not there before."""
        arguments: list[Any] = []
        for execution, output in results:
            arguments += (*execution, output)
        answers = await self._connection.run("store", self._kept, *arguments)
        return [answer == 1 for answer in answers]

    async def get(self, executions: Sequence[Execution]) -> list[bytes | TaskQueueError]:
        """Read outputs; one that is not there gives ``ResultLost``."""
        if not executions:
            return []
        keys = [f"output:{job_id}:{attempt}" for job_id, attempt in executions]
        outputs = await self._connection.ask("get_outputs", "MGET", *keys)
        return [
            ResultLost(execution.job_id) if output is None else output
            for execution, output in zip(executions, outputs, strict=True)
        ]
