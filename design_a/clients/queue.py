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
from design_a import wire


class QueueClient:
    """Calls the queue service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stub = QueueServiceStub(peer.channel)

    async def enqueue(self, entries: Sequence[NewEntry]) -> list[TaskQueueError | None]:
        request = pb.EnqueueJobRequest(
            entries=[
                pb.NewQueueEntry(
                    job_id=entry.job_id,
                    job=convert.spec_to(entry.spec),
                    correlation_id=entry.correlation_id,
                )
                for entry in entries
            ]
        )
        response = await self._peer.call(self._stub.EnqueueJob, request)
        return [
            wire.error_from(outcome.error) if outcome.HasField("error") else None
            for outcome in response.outcomes
        ]

    async def dequeue(
        self,
        max_jobs: int,
        max_wait: float = 0.0,
        renew: Sequence[Execution] = (),
        release: Sequence[Execution] = (),
    ) -> Dequeued:
        request = pb.DequeueJobRequest(
            max_jobs=max_jobs,
            max_wait=convert.seconds_to(max_wait),
            renew=map(wire.execution_to, renew),
            release=map(wire.execution_to, release),
        )
        response = await self._peer.call(self._stub.DequeueJob, request)
        return Dequeued(
            [wire.assignment_from(assignment) for assignment in response.assignments],
            wire.executions_from(response.lost),
        )

    async def remove(self, job_ids: Sequence[str]) -> list[bool]:
        request = pb.RemoveJobIfPresentRequest(job_ids=job_ids)
        response = await self._peer.call(self._stub.RemoveJobIfPresent, request)
        return list(response.removed)

    async def keep_out(self, job_ids: Sequence[str]) -> list[bool]:
        request = pb.RemoveJobIfPresentRequest(keep_out_job_ids=job_ids)
        response = await self._peer.call(self._stub.RemoveJobIfPresent, request)
        return list(response.kept_out)
