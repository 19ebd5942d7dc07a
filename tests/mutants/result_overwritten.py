"""Outputs are stored by job, and the last write wins."""

from __future__ import annotations

from common.domain.errors import TaskQueueError
from common.domain.job import Execution
from common.owners.results import ResultOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    get = ResultOwner._get

    def overwrite(self: ResultOwner, execution: Execution, output: bytes) -> bool:
        self._outputs[Execution(execution.job_id, 0)] = output
        return True

    def get_of_job(self: ResultOwner, execution: Execution) -> bytes | TaskQueueError:
        return get(self, Execution(execution.job_id, 0))

    patches.set(ResultOwner, "_store", overwrite)
    patches.set(ResultOwner, "_get", get_of_job)


MUTANT = Mutant("a late output replaces the result", ("a",), {"runs", "terminal"}, _apply)
