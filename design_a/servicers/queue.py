"""The queue service over the ``Queue`` port."""

from __future__ import annotations

from typing import Any

from common import context as call_context
from common.gen.taskqueue.internal.v1 import queue_service_pb2 as pb
from common.gen.taskqueue.internal.v1.queue_service_pb2_grpc import QueueServiceServicer
from common.ports import Queue
from common.rpc import convert
from design_a import wire


class QueueServicer(QueueServiceServicer):
    """Serves the owner of queue membership."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def EnqueueJob(
        self, request: pb.EnqueueJobRequest, context: Any
    ) -> pb.EnqueueJobResponse:
        """Add jobs at the end."""
        answers = await self._queue.enqueue(
            [wire.new_entry_from(entry) for entry in request.entries]
        )
        return pb.EnqueueJobResponse(
            outcomes=[
                pb.EnqueueOutcome(error=wire.error_to(answer) if answer is not None else None)
                for answer in answers
            ]
        )

    async def DequeueJob(
        self, request: pb.DequeueJobRequest, context: Any
    ) -> pb.DequeueJobResponse:
        """Lease jobs from the front; renew and return leases."""
        max_wait = convert.seconds_from(request.max_wait, "max_wait")
        answer = await self._queue.dequeue(
            request.max_jobs,
            call_context.remaining(max_wait),
            wire.executions_from(request.renew),
            wire.executions_from(request.release),
            wire.ids_from(request.remove_job_ids),
        )
        return pb.DequeueJobResponse(
            assignments=map(wire.assignment_to, answer.assignments),
            lost=map(wire.execution_to, answer.lost),
        )

    async def RemoveJobIfPresent(
        self, request: pb.RemoveJobIfPresentRequest, context: Any
    ) -> pb.RemoveJobIfPresentResponse:
        """Remove jobs, leased or not, and keep out others."""
        remove, keep_out = wire.ids_from(request.job_ids), wire.ids_from(request.keep_out_job_ids)
        removed = await self._queue.remove(remove)
        kept_out = await self._queue.keep_out(keep_out) if keep_out else []
        return pb.RemoveJobIfPresentResponse(removed=removed, kept_out=kept_out)
