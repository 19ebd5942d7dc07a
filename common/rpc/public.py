"""The public servicer, the same in every design: messages to the domain and back."""

from __future__ import annotations

from typing import Any

from common.domain import ids
from common.flows.public import check_submission
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceServicer
from common.ports import Kinds, TaskQueue
from common.rpc import convert


class PublicServicer(TaskQueueServiceServicer):
    """Serves the contract from a ``TaskQueue``; checks everything before it costs anything."""

    def __init__(self, queue: TaskQueue, kinds: Kinds) -> None:
        self._queue = queue
        self._kinds = kinds

    async def SubmitJob(self, request: pb.SubmitJobRequest, context: Any) -> pb.SubmitJobResponse:
        """Accept a job."""
        spec = convert.spec_from(request.job)
        check_submission(spec, request.request_id, self._kinds)
        return pb.SubmitJobResponse(job_id=await self._queue.submit(spec, request.request_id))

    async def GetJobStatus(
        self, request: pb.GetJobStatusRequest, context: Any
    ) -> pb.GetJobStatusResponse:
        """Report where a job stands."""
        ids.check(request.job_id)
        job = await self._queue.status(request.job_id)
        return pb.GetJobStatusResponse(status=convert.status_to(job))

    async def GetJobResult(
        self, request: pb.GetJobResultRequest, context: Any
    ) -> pb.GetJobResultResponse:
        """Return what a terminal job produced."""
        ids.check(request.job_id)
        result = await self._queue.result(request.job_id)
        return pb.GetJobResultResponse(
            state=convert.state_to(result.state),
            output=result.output,
            failure=convert.failure_to(result.failure),
        )

    async def CancelJob(self, request: pb.CancelJobRequest, context: Any) -> pb.CancelJobResponse:
        """Cancel a job as far as its state allows."""
        ids.check(request.job_id)
        job = await self._queue.cancel(request.job_id)
        return pb.CancelJobResponse(status=convert.status_to(job))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Any) -> pb.ListJobsResponse:
        """Return one page of jobs, newest first."""
        state = convert.state_filter_from(request.state)
        page = await self._queue.list_jobs(
            state, request.kind, request.page_size, request.page_token
        )
        return pb.ListJobsResponse(
            jobs=map(convert.status_to, page.jobs), next_page_token=page.next_page_token
        )
