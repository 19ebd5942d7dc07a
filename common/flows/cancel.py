"""Cancel: the job owner decides in one step, and the queue entry goes afterwards."""

from __future__ import annotations

from common.domain.job import Job, JobState
from common.flows.background import Background
from common.flows.batch import only_success
from common.ports import Jobs, Queue


async def cancel(job_id: str, jobs: Jobs, queue: Queue, background: Background) -> Job:
    """Cancel a job as far as its state allows and return its record.

    A queued job is CANCELED when this returns, whatever becomes of its queue entry: a coordinator
    that leases it meanwhile is refused the start. A running job is told through the heartbeat of
    its worker.
    """
    job = await only_success(jobs.set_cancel_requested([job_id]))
    if job.state is JobState.CANCELED:
        background.start(_remove(job_id, queue), f"remove canceled {job_id} from the queue")
    return job


async def _remove(job_id: str, queue: Queue) -> None:
    await queue.remove([job_id])
