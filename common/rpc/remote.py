"""The ``TaskQueue`` port over the public service of another process."""

from __future__ import annotations

from common.domain.job import Job, JobResult, JobSpec, JobState
from common.domain.paging import JobPage
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.rpc import convert
from common.rpc.channel import Peer


class RemoteTaskQueue:
    """Calls the public service of a peer."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stub = TaskQueueServiceStub(peer.channel)

    async def submit(self, spec: JobSpec, request_id: str = "") -> str:
        request = pb.SubmitJobRequest(job=convert.spec_to(spec), request_id=request_id)
        response = await self._peer.call(self._stub.SubmitJob, request)
        return response.job_id

    async def status(self, job_id: str) -> Job:
        request = pb.GetJobStatusRequest(job_id=job_id)
        response = await self._peer.call(self._stub.GetJobStatus, request)
        return convert.status_from(response.status)

    async def result(self, job_id: str) -> JobResult:
        request = pb.GetJobResultRequest(job_id=job_id)
        response = await self._peer.call(self._stub.GetJobResult, request)
        failure = convert.failure_from(response)
        return JobResult(JobState(response.state), response.output, failure)

    async def cancel(self, job_id: str) -> Job:
        request = pb.CancelJobRequest(job_id=job_id)
        response = await self._peer.call(self._stub.CancelJob, request)
        return convert.status_from(response.status)

    async def list_jobs(
        self, state: JobState | None, kind: str, page_size: int, page_token: str
    ) -> JobPage:
        request = pb.ListJobsRequest(
            state=convert.state_to(state), kind=kind, page_size=page_size, page_token=page_token
        )
        response = await self._peer.call(self._stub.ListJobs, request)
        return JobPage(tuple(map(convert.status_from, response.jobs)), response.next_page_token)
