"""The ``Jobs`` port over the job service."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Job
from common.domain.paging import JobQuery
from common.gen.taskqueue.internal.v1 import job_service_pb2 as pb
from common.gen.taskqueue.internal.v1.job_service_pb2_grpc import JobServiceStub
from common.ports import NewJob, Transition
from common.rpc import convert
from common.rpc.channel import Peer
from design_a import wire


class JobsClient:
    """Calls the job service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stub = JobServiceStub(peer.channel)

    async def create(self, jobs: Sequence[NewJob]) -> list[Job | TaskQueueError]:
        request = pb.CreateJobRequest(
            jobs=[
                pb.NewJob(
                    kind=new.kind,
                    request_id=new.request_id,
                    digest=new.digest,
                    submit_id=new.submit_id,
                )
                for new in jobs
            ]
        )
        response = await self._peer.call(self._stub.CreateJob, request)
        return [wire.record_from(entry) for entry in response.entries]

    async def get(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        request = pb.GetJobRecordRequest(job_ids=job_ids)
        response = await self._peer.call(self._stub.GetJobRecord, request)
        return [wire.record_from(entry) for entry in response.entries]

    async def page(self, query: JobQuery) -> list[Job]:
        request = pb.ListJobRecordsRequest(
            state=convert.state_to(query.state),
            kind=query.kind,
            before_job_id=query.before,
            limit=query.limit,
        )
        response = await self._peer.call(self._stub.ListJobRecords, request)
        return [convert.status_from(record) for record in response.records]

    async def transition(self, steps: Sequence[Transition]) -> list[Job | TaskQueueError]:
        request = pb.TransitionJobStatusRequest(transitions=map(wire.transition_to, steps))
        response = await self._peer.call(self._stub.TransitionJobStatus, request)
        return [wire.record_from(entry) for entry in response.entries]

    async def set_cancel_requested(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        return await self._cancel(job_ids, pb.CANCEL_REASON_CLIENT)

    async def withdraw(self, submit_id: str, job_id: str = "") -> Job | TaskQueueError | None:
        job_ids = [job_id] if job_id else []
        answers = await self._cancel(job_ids, pb.CANCEL_REASON_SUBMIT_WITHDRAWN, submit_id)
        return answers[0] if answers else None

    async def forget(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        return await self._cancel(job_ids, pb.CANCEL_REASON_NOT_IN_QUEUE)

    async def _cancel(
        self, job_ids: Sequence[str], reason: pb.CancelReason.ValueType, submit_id: str = ""
    ) -> list[Job | TaskQueueError]:
        request = pb.SetCancelRequestedRequest(job_ids=job_ids, reason=reason, submit_id=submit_id)
        response = await self._peer.call(self._stub.SetCancelRequested, request)
        return [wire.record_from(entry) for entry in response.entries]
