"""A job is DONE before its output is stored, and stays so if the output is never stored."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Execution, JobState, Outcome
from common.flows.coordinator import WorkCoordinator
from tests.mutants import Mutant, Patches


class _Nothing:
    """A port that keeps nothing."""

    async def store(self, results: Sequence[tuple[Execution, bytes]]) -> list[bool]:
        return [True for _ in results]

    async def get(self, executions: Sequence[Execution]) -> list[bytes | TaskQueueError]:
        return []


def _apply(patches: Patches) -> None:
    complete = WorkCoordinator._complete

    async def done_first(
        self: WorkCoordinator, reports: Sequence[tuple[Execution, Outcome]]
    ) -> list[TaskQueueError | None]:
        results, keeps_nothing = self._results, copy.copy(self)
        keeps_nothing._results = _Nothing()
        verdicts = await complete(keeps_nothing, reports)
        outputs = [
            (execution, outcome.output)
            for (execution, outcome), verdict in zip(reports, verdicts, strict=True)
            if verdict is None and outcome.state is JobState.DONE
        ]
        if outputs:
            await results.store(outputs)
        return verdicts

    patches.set(WorkCoordinator, "_complete", done_first)


MUTANT = Mutant("a job is DONE before its output is safe", ("a",), {"lost"}, _apply)
