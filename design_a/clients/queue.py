"""The ``Queue`` port over the queue service."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Execution
from common.gen.taskqueue.internal.v1 import queue_service_pb2 as pb
from common.gen.taskqueue.internal.v1.queue_service_pb2_grpc import QueueServiceStub
from common.ports import Dequeued, NewEntry
from common.rpc import convert
from common.rpc.channel import Peer
from common.rpc.coalesce import Coalescer
from design_a import wire


class QueueClient:
    """Calls the queue service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stub = stub = QueueServiceStub(peer.channel)
        self._enqueues: Coalescer[pb.NewQueueEntry, pb.EnqueueOutcome] = Coalescer(
            peer,
            stub.EnqueueJob,
            lambda entries: pb.EnqueueJobRequest(entries=entries),
            lambda response: response.outcomes,
        )
        self._removals: Coalescer[str, bool] = Coalescer(
            peer,
            stub.RemoveJobIfPresent,
            lambda ids: pb.RemoveJobIfPresentRequest(job_ids=ids),
            lambda response: response.removed,
        )

    async def enqueue(self, entries: Sequence[NewEntry]) -> list[TaskQueueError | None]:
        outcomes = await self._enqueues.call([wire.new_entry_to(entry) for entry in entries])
        return [
            wire.error_from(outcome.error) if outcome.HasField("error") else None
            for outcome in outcomes
        ]

    async def dequeue(
        self,
        max_jobs: int,
        max_wait: float = 0.0,
        renew: Sequence[Execution] = (),
        release: Sequence[Execution] = (),
        remove: Sequence[str] = (),
    ) -> Dequeued:
        request = pb.DequeueJobRequest(
            max_jobs=max_jobs,
            max_wait=convert.seconds_to(max_wait),
            renew=map(wire.execution_to, renew),
            release=map(wire.execution_to, release),
            remove_job_ids=remove,
        )
        response = await self._peer.call(self._stub.DequeueJob, request)
        return Dequeued(
            [wire.assignment_from(assignment) for assignment in response.assignments],
            wire.executions_from(response.lost),
        )

    async def remove(self, job_ids: Sequence[str]) -> list[bool]:
        return await self._removals.call(job_ids)

    async def keep_out(self, job_ids: Sequence[str]) -> list[bool]:
        request = pb.RemoveJobIfPresentRequest(keep_out_job_ids=job_ids)
        response = await self._peer.call(self._stub.RemoveJobIfPresent, request)
        return list(response.kept_out)
