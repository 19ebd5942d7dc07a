"""The ``Results`` port over the result service."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Execution
from common.gen.taskqueue.internal.v1 import result_service_pb2 as pb
from common.gen.taskqueue.internal.v1.result_service_pb2_grpc import ResultServiceStub
from common.rpc.channel import Peer
from common.rpc.coalesce import Coalescer
from design_a import wire


class ResultsClient:
    """Calls the result service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stub = stub = ResultServiceStub(peer.channel)
        self._stores: Coalescer[pb.NewResult, bool] = Coalescer(
            peer,
            stub.StoreResult,
            lambda results: pb.StoreResultRequest(results=results),
            lambda response: response.stored,
        )

    async def store(self, results: Sequence[tuple[Execution, bytes]]) -> list[bool]:
        return await self._stores.call(
            [
                pb.NewResult(execution=wire.execution_to(execution), output=output)
                for execution, output in results
            ]
        )

    async def get(self, executions: Sequence[Execution]) -> list[bytes | TaskQueueError]:
        request = pb.GetResultRequest(executions=map(wire.execution_to, executions))
        response = await self._peer.call(self._stub.GetResult, request)
        return [
            wire.error_from(entry.error) if entry.HasField("error") else entry.output
            for entry in response.entries
        ]
