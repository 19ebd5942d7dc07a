"""The result owner: sole writer of result payloads."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.errors import ResultLost, TaskQueueError
from common.domain.job import Execution


class ResultOwner:
    """Holds one output for each execution; the first write wins and is never changed."""

    def __init__(self) -> None:
        self._outputs: dict[Execution, bytes] = {}

    async def store(self, results: Sequence[tuple[Execution, bytes]]) -> list[bool]:
        """Store outputs; returns which were stored, that is, were not there before."""
        return [self._store(execution, output) for execution, output in results]

    async def get(self, executions: Sequence[Execution]) -> list[bytes | TaskQueueError]:
        """Read outputs; one that is not there gives ``ResultLost``."""
        return [self._get(execution) for execution in executions]

    def _store(self, execution: Execution, output: bytes) -> bool:
        if execution in self._outputs:
            return False
        self._outputs[execution] = output
        return True

    def _get(self, execution: Execution) -> bytes | TaskQueueError:
        output = self._outputs.get(execution)
        return ResultLost(execution.job_id) if output is None else output
