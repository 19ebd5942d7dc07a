"""An earlier home of a request id that was asked for its job goes on accepting some."""

from __future__ import annotations

from common.domain.job import JobSpec
from design_b.membership import Membership
from design_b.placement import PlacedTaskQueue
from tests.mutants import Mutant, Patches


async def _unmoved(
    self: PlacedTaskQueue, spec: JobSpec, request_id: str, membership: Membership
) -> str:
    return await self._repeat(spec, request_id)


def _apply(patches: Patches) -> None:
    patches.set(PlacedTaskQueue, "repeat", _unmoved)


MUTANT = Mutant(
    "an earlier home of a request id goes on accepting", ("b",), {"duplicated"}, _apply, "growth"
)
