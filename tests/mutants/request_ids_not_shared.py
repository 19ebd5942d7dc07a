"""Each node keeps its own request ids: repeats through different nodes do not meet."""

from __future__ import annotations

from common.domain.job import JobSpec
from design_b.placement import PlacedTaskQueue
from tests.mutants import Mutant, Patches


async def _submit_here(self: PlacedTaskQueue, spec: JobSpec, request_id: str = "") -> str:
    return await self._own.submit(spec, request_id)


def _apply(patches: Patches) -> None:
    patches.set(PlacedTaskQueue, "submit", _submit_here)


MUTANT = Mutant("a repeat through another node makes a second job", ("b",), {"duplicated"}, _apply)
