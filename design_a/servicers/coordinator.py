"""The coordinator service over the ``Coordinator`` port."""

from __future__ import annotations

from typing import Any

from common import context as call_context
from common.gen.taskqueue.internal.v1 import coordinator_service_pb2 as pb
from common.gen.taskqueue.internal.v1.coordinator_service_pb2_grpc import (
    CoordinatorServiceServicer,
)
from common.ports import Coordinator
from common.rpc import convert
from design_a import wire


class CoordinatorServicer(CoordinatorServiceServicer):
    """Serves what workers talk to. Handing work out after a wait takes up to ``margin`` seconds."""

    def __init__(self, coordinator: Coordinator, margin: float = 1.0) -> None:
        self._coordinator = coordinator
        self._margin = margin

    async def WorkerHeartbeat(
        self, request: pb.WorkerHeartbeatRequest, context: Any
    ) -> pb.WorkerHeartbeatResponse:
        """Note that the worker lives; return what it has to stop."""
        worker = wire.worker_from(request.worker)
        held = wire.executions_from(request.held)
        reply = await self._coordinator.heartbeat(worker, request.slots, held)
        return pb.WorkerHeartbeatResponse(
            cancel=map(wire.execution_to, reply.cancel), drop=map(wire.execution_to, reply.drop)
        )

    async def FetchWork(self, request: pb.FetchWorkRequest, context: Any) -> pb.FetchWorkResponse:
        """Hand out jobs, waiting for one if there is none."""
        worker = wire.worker_from(request.worker)
        wire.check_max_jobs(request)
        asked = convert.seconds_from(request.max_wait, "max_wait")
        wait = max(0.0, call_context.remaining(asked + self._margin) - self._margin)
        assignments = await self._coordinator.fetch(worker, request.slots, request.max_jobs, wait)
        return pb.FetchWorkResponse(assignments=map(wire.assignment_to, assignments))

    async def ReportWorkOutcome(
        self, request: pb.ReportWorkOutcomeRequest, context: Any
    ) -> pb.ReportWorkOutcomeResponse:
        """Take outcomes, and hand out jobs that are there."""
        wire.check_max_jobs(request)
        reply = await self._coordinator.report(
            wire.worker_from(request.worker),
            [wire.report_from(report) for report in request.reports],
            wire.executions_from(request.returned),
            request.slots,
            request.max_jobs,
        )
        return pb.ReportWorkOutcomeResponse(
            verdicts=[
                pb.ReportVerdict(error=wire.error_to(verdict) if verdict is not None else None)
                for verdict in reply.verdicts
            ],
            assignments=map(wire.assignment_to, reply.assignments),
        )
