"""A submit whose request id has its home on an absent node is accepted where it was sent."""

from __future__ import annotations

from common import context
from common.domain.errors import DeadlineExceeded, OwnerUnreachable
from common.domain.job import JobSpec
from common.rpc.callers import NODE
from design_b.placement import PlacedTaskQueue
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    submit = PlacedTaskQueue.submit

    async def anywhere(self: PlacedTaskQueue, spec: JobSpec, request_id: str = "") -> str:
        try:
            return await submit(self, spec, request_id)
        except (OwnerUnreachable, DeadlineExceeded):
            if context.caller() == NODE:
                raise
            return await self._own.submit(spec, request_id)

    patches.set(PlacedTaskQueue, "submit", anywhere)


MUTANT = Mutant("the home of a request id moves", ("b",), {"duplicated"}, _apply)
