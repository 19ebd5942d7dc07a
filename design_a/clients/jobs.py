"""The ``Jobs`` port over the job service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Job
from common.domain.paging import JobQuery
from common.gen.taskqueue.internal.v1 import job_service_pb2 as pb
from common.gen.taskqueue.internal.v1.entries_pb2 import JobRecordEntry
from common.gen.taskqueue.internal.v1.job_service_pb2_grpc import JobServiceStub
from common.ports import NewJob, Transition
from common.rpc import convert
from common.rpc.channel import Peer
from common.rpc.coalesce import Coalescer
from design_a import wire


class JobsClient:
    """Calls the job service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stub = stub = JobServiceStub(peer.channel)
        self._creates: Coalescer[pb.NewJob, JobRecordEntry] = Coalescer(
            peer, stub.CreateJob, lambda jobs: pb.CreateJobRequest(jobs=jobs), _entries
        )
        self._reads: Coalescer[str, JobRecordEntry] = Coalescer(
            peer, stub.GetJobRecord, lambda ids: pb.GetJobRecordRequest(job_ids=ids), _entries
        )
        self._steps: Coalescer[pb.Transition, JobRecordEntry] = Coalescer(
            peer,
            stub.TransitionJobStatus,
            lambda steps: pb.TransitionJobStatusRequest(transitions=steps),
            _entries,
        )
        self._cancels: Coalescer[str, JobRecordEntry] = Coalescer(
            peer,
            stub.SetCancelRequested,
            lambda ids: pb.SetCancelRequestedRequest(job_ids=ids, reason=pb.CANCEL_REASON_CLIENT),
            _entries,
        )

    async def create(self, jobs: Sequence[NewJob]) -> list[Job | TaskQueueError]:
        return _records(await self._creates.call([wire.new_job_to(new) for new in jobs]))

    async def get(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        return _records(await self._reads.call(job_ids))

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
        return _records(await self._steps.call([wire.transition_to(step) for step in steps]))

    async def set_cancel_requested(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        return _records(await self._cancels.call(job_ids))

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
        return _records(response.entries)


def _entries(
    response: pb.CreateJobResponse
    | pb.GetJobRecordResponse
    | pb.TransitionJobStatusResponse
    | pb.SetCancelRequestedResponse,
) -> Iterable[JobRecordEntry]:
    return response.entries


def _records(entries: Iterable[JobRecordEntry]) -> list[Job | TaskQueueError]:
    return [wire.record_from(entry) for entry in entries]
