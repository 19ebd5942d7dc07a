"""The result owner: sole writer of result payloads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from common.domain.errors import ResultLost, TaskQueueError
from common.domain.job import MICROSECONDS, Execution
from common.ports import Clock

# Seconds for which an output is kept longer than the job's record: it is stored before the job
# ends, and that may have to be reported again and again while the job owner is away.
KEPT_LONGER = 60.0


class ResultOwner:
    """Holds one output for each execution; the first write wins and is never changed.

    An output is forgotten :data:`KEPT_LONGER` seconds after the retention of jobs, ``retention`` in
    seconds, counted from when it was last stored; with 0 never.
    """

    def __init__(self, clock: Clock, retention: float = 0) -> None:
        self._clock = clock
        self._age = int((retention + KEPT_LONGER) * MICROSECONDS) if retention else 0
        self._outputs: dict[Execution, bytes] = {}
        self._stored: OrderedDict[Execution, int] = OrderedDict()

    async def store(self, results: Sequence[tuple[Execution, bytes]]) -> list[bool]:
        """Store outputs; returns which were stored, that is, were not there before."""
        self._forget()
        return [self._store(execution, output) for execution, output in results]

    async def get(self, executions: Sequence[Execution]) -> list[bytes | TaskQueueError]:
        """Read outputs; one that is not there gives ``ResultLost``."""
        self._forget()
        return [self._get(execution) for execution in executions]

    def _store(self, execution: Execution, output: bytes) -> bool:
        if self._age:
            self._stored[execution] = self._clock.now()
            self._stored.move_to_end(execution)
        if execution in self._outputs:
            return False
        self._outputs[execution] = output
        return True

    def _get(self, execution: Execution) -> bytes | TaskQueueError:
        output = self._outputs.get(execution)
        return ResultLost(execution.job_id) if output is None else output

    def _forget(self) -> None:
        """Forget the outputs whose time is over; costs nothing while there is no retention."""
        if not self._stored:
            return
        latest = self._clock.now() - self._age
        while self._stored and next(iter(self._stored.values())) <= latest:
            execution, _ = self._stored.popitem(last=False)
            del self._outputs[execution]
