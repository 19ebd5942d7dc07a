"""Queries: status, result and list."""

from __future__ import annotations

import dataclasses

from common.domain import paging
from common.domain.errors import JobNotFinished
from common.domain.job import Execution, Job, JobResult, JobState
from common.domain.paging import JobPage
from common.flows.batch import only_success
from common.ports import Jobs, Results


async def status(job_id: str, jobs: Jobs) -> Job:
    """Return the record of a job."""
    return await only_success(jobs.get([job_id]))


async def result(job_id: str, jobs: Jobs, results: Results) -> JobResult:
    """Return what a terminal job produced; the output is that of the attempt that won."""
    job = await status(job_id, jobs)
    if not job.state.terminal:
        raise JobNotFinished(job_id, job.state.name)
    if job.state is not JobState.DONE:
        return JobResult(job.state, failure=job.failure)
    output = await only_success(results.get([Execution(job_id, job.attempt)]))
    return JobResult(job.state, output)


async def list_jobs(
    state: JobState | None, kind: str, page_size: int, page_token: str, jobs: Jobs
) -> JobPage:
    """Return one page, newest first."""
    query = paging.open_query(state, kind, page_size, page_token)
    newest = await jobs.page(dataclasses.replace(query, limit=query.limit + 1))
    return paging.close_page(query, newest)
