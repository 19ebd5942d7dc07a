"""The outputs of a batch of reports are stored for one another's executions."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Execution, Outcome
from common.flows import coordinator
from common.ports import Jobs, Queue, Results
from tests.mutants import Mutant, Patches


class _Exchanging:
    """A port that mixes up what it is given."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self.get = results.get

    async def store(self, results: Sequence[tuple[Execution, bytes]]) -> list[bool]:
        outputs = [output for _, output in results][::-1]
        mixed = [(each, output) for (each, _), output in zip(results, outputs, strict=True)]
        return await self._results.store(mixed)


def _apply(patches: Patches) -> None:
    complete = coordinator.complete

    async def mixed_up(
        reports: Sequence[tuple[Execution, Outcome]], jobs: Jobs, queue: Queue, results: Results
    ) -> list[TaskQueueError | None]:
        return await complete(reports, jobs, queue, _Exchanging(results))

    patches.set(coordinator, "complete", mixed_up)


MUTANT = Mutant("two outputs of a batch are exchanged", ("a", "b"), {"runs"}, _apply, "calm")
