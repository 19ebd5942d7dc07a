"""The ``Results`` port over the result service."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Execution
from common.gen.taskqueue.internal.v1 import result_service_pb2 as pb
from common.gen.taskqueue.internal.v1.result_service_pb2_grpc import ResultServiceStub
from common.rpc.channel import Peer
from design_a import wire


class ResultsClient:
    """Calls the result service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stub = ResultServiceStub(peer.channel)

    async def store(self, results: Sequence[tuple[Execution, bytes]]) -> list[bool]:
        request = pb.StoreResultRequest(
            results=[
                pb.NewResult(execution=wire.execution_to(execution), output=output)
                for execution, output in results
            ]
        )
        response = await self._peer.call(self._stub.StoreResult, request)
        return list(response.stored)

    async def get(self, executions: Sequence[Execution]) -> list[bytes | TaskQueueError]:
        request = pb.GetResultRequest(executions=map(wire.execution_to, executions))
        response = await self._peer.call(self._stub.GetResult, request)
        return [
            wire.error_from(entry.error) if entry.HasField("error") else entry.output
            for entry in response.entries
        ]
