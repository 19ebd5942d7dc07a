"""The result is that of the first attempt that has one, not of the attempt that won."""

from __future__ import annotations

from common.domain.job import Execution, JobResult, JobState
from common.flows import query
from common.ports import Jobs, Results
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    result = query.result

    async def of_any_attempt(job_id: str, jobs: Jobs, results: Results) -> JobResult:
        job = await query.status(job_id, jobs)
        if job.state is JobState.DONE:
            attempts = [Execution(job_id, attempt) for attempt in range(1, job.attempt + 1)]
            for output in await results.get(attempts):
                if isinstance(output, bytes):
                    return JobResult(job.state, output)
        return await result(job_id, jobs, results)

    patches.set(query, "result", of_any_attempt)


MUTANT = Mutant("the result is that of a losing attempt", ("a",), {"runs", "terminal"}, _apply)
