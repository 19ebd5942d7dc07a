"""The job service over the ``Jobs`` port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.domain.errors import TaskQueueError
from common.domain.job import Job
from common.gen.taskqueue.internal.v1 import job_service_pb2 as pb
from common.gen.taskqueue.internal.v1.job_service_pb2_grpc import JobServiceServicer
from common.ports import Jobs
from common.rpc import convert
from design_a import wire


class JobServicer(JobServiceServicer):
    """Serves the owner of job metadata and state."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def CreateJob(self, request: pb.CreateJobRequest, context: Any) -> pb.CreateJobResponse:
        """Create records, or find the earlier ones by request id."""
        answers = await self._jobs.create([wire.new_job_from(new) for new in request.jobs])
        return pb.CreateJobResponse(entries=map(wire.record_to, answers))

    async def GetJobRecord(
        self, request: pb.GetJobRecordRequest, context: Any
    ) -> pb.GetJobRecordResponse:
        """Read records."""
        answers = await self._jobs.get(wire.ids_from(request.job_ids))
        return pb.GetJobRecordResponse(entries=map(wire.record_to, answers))

    async def ListJobRecords(
        self, request: pb.ListJobRecordsRequest, context: Any
    ) -> pb.ListJobRecordsResponse:
        """Read one page of records, newest first."""
        records = await self._jobs.page(wire.query_from(request))
        return pb.ListJobRecordsResponse(records=map(convert.status_to, records))

    async def TransitionJobStatus(
        self, request: pb.TransitionJobStatusRequest, context: Any
    ) -> pb.TransitionJobStatusResponse:
        """Move jobs along the lifecycle table."""
        steps = [wire.transition_from(step) for step in request.transitions]
        answers = await self._jobs.transition(steps)
        return pb.TransitionJobStatusResponse(entries=map(wire.record_to, answers))

    async def SetCancelRequested(
        self, request: pb.SetCancelRequestedRequest, context: Any
    ) -> pb.SetCancelRequestedResponse:
        """Cancel jobs, withdraw a submit, or forget jobs, by the reason."""
        job_ids = wire.ids_from(request.job_ids)
        reason = wire.cancel_reason_from(request.reason)
        if reason == pb.CANCEL_REASON_SUBMIT_WITHDRAWN:
            answers = await self._withdraw(request.submit_id, job_ids)
        elif reason == pb.CANCEL_REASON_NOT_IN_QUEUE:
            answers = await self._jobs.forget(job_ids)
        else:
            answers = await self._jobs.set_cancel_requested(job_ids)
        return pb.SetCancelRequestedResponse(entries=map(wire.record_to, answers))

    async def _withdraw(self, submit_id: str, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Withdraw a submit from each of the jobs; if none is named, from the one that it made."""
        answers = [await self._jobs.withdraw(submit_id, job_id) for job_id in job_ids or [""]]
        return [each for each in answers if each is not None]
