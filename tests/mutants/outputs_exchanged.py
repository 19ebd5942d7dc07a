"""The outputs of a batch of reports are stored for one another's executions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.domain.job import Execution
from common.flows.coordinator import WorkCoordinator
from common.ports import Results
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
    begin = WorkCoordinator.__init__

    def mixed_up(self: WorkCoordinator, *arguments: Any) -> None:
        begin(self, *arguments)
        self._results = _Exchanging(self._results)

    patches.set(WorkCoordinator, "__init__", mixed_up)


MUTANT = Mutant("two outputs of a batch are exchanged", ("a", "b"), {"runs"}, _apply, "calm")
