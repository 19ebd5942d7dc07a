"""The result is that of the first attempt that has one, not of the attempt that won."""

from __future__ import annotations

from common.domain.job import Execution, JobResult, JobState
from common.flows.public import OwnedTaskQueue
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    result = OwnedTaskQueue.result

    async def of_any_attempt(self: OwnedTaskQueue, job_id: str) -> JobResult:
        job = await self.status(job_id)
        if job.state is JobState.DONE:
            attempts = [Execution(job_id, attempt) for attempt in range(1, job.attempt + 1)]
            for output in await self._results.get(attempts):
                if isinstance(output, bytes):
                    return JobResult(job.state, output)
        return await result(self, job_id)

    patches.set(OwnedTaskQueue, "result", of_any_attempt)


MUTANT = Mutant("the result is that of a losing attempt", ("a",), {"runs", "terminal"}, _apply)
