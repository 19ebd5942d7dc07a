"""The entry of a job is acknowledged when its report comes, before its end is recorded."""

from __future__ import annotations

from typing import Any

from common.flows.coordinator import WorkCoordinator
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    complete = WorkCoordinator._complete

    async def at_once(self: WorkCoordinator, reports: Any) -> Any:
        self._dispatcher.acknowledge([execution.job_id for execution, _ in reports])
        self._dispatcher.flush()
        return await complete(self, reports)

    patches.set(WorkCoordinator, "_complete", at_once)


MUTANT = Mutant("acknowledged before the end", ("a",), {"lost"}, _apply)
