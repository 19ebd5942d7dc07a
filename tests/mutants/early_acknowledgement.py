"""The queue entry is removed when its job is handed out, not when it has ended."""

from __future__ import annotations

from typing import Any

from common.domain.job import Assignment
from common.flows import coordinator
from common.ports import Jobs, Queue
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    dispatch = coordinator.dispatch

    async def acknowledging(
        worker: str, max_jobs: int, max_wait: float, jobs: Jobs, queue: Queue, background: Any
    ) -> list[Assignment]:
        handed_out = await dispatch(worker, max_jobs, max_wait, jobs, queue, background)
        if handed_out:
            await queue.remove([each.execution.job_id for each in handed_out])
        return handed_out

    patches.set(coordinator, "dispatch", acknowledging)


MUTANT = Mutant("the entry is removed at dispatch", ("a",), {"lost"}, _apply)
