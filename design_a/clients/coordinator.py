"""The ``Coordinator`` port over the coordinator service."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.job import Assignment, Execution, Outcome
from common.gen.taskqueue.internal.v1 import coordinator_service_pb2 as pb
from common.gen.taskqueue.internal.v1.coordinator_service_pb2_grpc import CoordinatorServiceStub
from common.ports import HeartbeatReply, ReportReply
from common.rpc import convert
from common.rpc.channel import Peer
from design_a import wire


class CoordinatorClient:
    """Calls the coordinator service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stub = CoordinatorServiceStub(peer.channel)

    async def heartbeat(self, worker: str, slots: int, held: Sequence[Execution]) -> HeartbeatReply:
        request = pb.WorkerHeartbeatRequest(
            worker=worker, slots=slots, held=map(wire.execution_to, held)
        )
        response = await self._peer.call(self._stub.WorkerHeartbeat, request)
        return HeartbeatReply(
            cancel=wire.executions_from(response.cancel), drop=wire.executions_from(response.drop)
        )

    async def fetch(
        self, worker: str, slots: int, max_jobs: int, max_wait: float
    ) -> list[Assignment]:
        request = pb.FetchWorkRequest(
            worker=worker,
            slots=slots,
            max_jobs=max_jobs,
            max_wait=convert.seconds_to(max_wait),
        )
        response = await self._peer.call(self._stub.FetchWork, request)
        return [wire.assignment_from(assignment) for assignment in response.assignments]

    async def report(
        self,
        worker: str,
        reports: Sequence[tuple[Execution, Outcome]],
        returned: Sequence[Execution] = (),
        slots: int = 0,
        max_jobs: int = 0,
    ) -> ReportReply:
        request = pb.ReportWorkOutcomeRequest(
            worker=worker,
            reports=[wire.report_to(execution, outcome) for execution, outcome in reports],
            returned=map(wire.execution_to, returned),
            slots=slots,
            max_jobs=max_jobs,
        )
        response = await self._peer.call(self._stub.ReportWorkOutcome, request)
        return ReportReply(
            [
                wire.error_from(verdict.error) if verdict.HasField("error") else None
                for verdict in response.verdicts
            ],
            [wire.assignment_from(assignment) for assignment in response.assignments],
        )
