"""The queue entry is removed when its job is handed out, not when it has ended."""

from __future__ import annotations

from common.domain.job import Assignment
from common.flows.dispatch import Dispatcher
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    take = Dispatcher.take

    async def acknowledging(
        self: Dispatcher, worker: str, slots: int, max_jobs: int, max_wait: float = 0.0
    ) -> list[Assignment]:
        handed_out = await take(self, worker, slots, max_jobs, max_wait)
        if handed_out:
            await self._queue.remove([each.execution.job_id for each in handed_out])
        return handed_out

    patches.set(Dispatcher, "take", acknowledging)


MUTANT = Mutant("the entry is removed at dispatch", ("a",), {"lost"}, _apply)
