"""The public contract over the owners' ports: what a gateway is, and a node for its own jobs."""

from __future__ import annotations

from common.domain.job import Job, JobResult, JobSpec, JobState
from common.domain.paging import JobPage
from common.flows import query
from common.flows.background import Background
from common.flows.cancel import cancel
from common.flows.submit import submit
from common.ports import Jobs, Queue, Results


class OwnedTaskQueue:
    """Implements the ``TaskQueue`` port by the flows."""

    def __init__(self, jobs: Jobs, queue: Queue, results: Results, background: Background) -> None:
        self._jobs = jobs
        self._queue = queue
        self._results = results
        self._background = background

    async def submit(self, spec: JobSpec, request_id: str = "") -> str:
        """Accept a job and return its id."""
        return await submit(spec, request_id, self._jobs, self._queue, self._background)

    async def status(self, job_id: str) -> Job:
        """Return the job's record."""
        return await query.status(job_id, self._jobs)

    async def result(self, job_id: str) -> JobResult:
        """Return what the terminal job produced."""
        return await query.result(job_id, self._jobs, self._results)

    async def cancel(self, job_id: str) -> Job:
        """Cancel the job as far as its state allows and return its record."""
        return await cancel(job_id, self._jobs, self._queue, self._background)

    async def list_jobs(
        self, state: JobState | None, kind: str, page_size: int, page_token: str
    ) -> JobPage:
        """Return one page of jobs, newest first."""
        return await query.list_jobs(state, kind, page_size, page_token, self._jobs)
