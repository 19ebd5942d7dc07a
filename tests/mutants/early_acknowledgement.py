"""The queue entry is removed when its job is handed out, not when it has ended."""

from __future__ import annotations

from common.domain.job import Assignment
from common.flows.coordinator import WorkCoordinator
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    dispatch = WorkCoordinator._dispatch

    async def acknowledging(
        self: WorkCoordinator, worker: str, max_jobs: int, max_wait: float
    ) -> list[Assignment]:
        handed_out = await dispatch(self, worker, max_jobs, max_wait)
        if handed_out:
            await self._queue.remove([each.execution.job_id for each in handed_out])
        return handed_out

    patches.set(WorkCoordinator, "_dispatch", acknowledging)


MUTANT = Mutant("the entry is removed at dispatch", ("a",), {"lost"}, _apply)
