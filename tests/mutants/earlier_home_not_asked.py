"""The new home of a request id accepts a job without asking the earlier one."""

from __future__ import annotations

from common.domain.job import JobSpec
from design_b.membership import Membership
from design_b.placement import PlacedTaskQueue
from tests.mutants import Mutant, Patches


async def _nowhere(
    self: PlacedTaskQueue, spec: JobSpec, request_id: str, membership: Membership
) -> str:
    return ""


def _apply(patches: Patches) -> None:
    patches.set(PlacedTaskQueue, "_repeated_elsewhere", _nowhere)


MUTANT = Mutant(
    "an earlier home of a request id is not asked", ("b",), {"duplicated"}, _apply, "growth"
)
