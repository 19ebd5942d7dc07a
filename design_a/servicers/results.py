"""The result service over the ``Results`` port."""

from __future__ import annotations

from typing import Any

from common.domain.errors import TaskQueueError
from common.gen.taskqueue.internal.v1 import result_service_pb2 as pb
from common.gen.taskqueue.internal.v1.result_service_pb2_grpc import ResultServiceServicer
from common.ports import Results
from design_a import wire


class ResultServicer(ResultServiceServicer):
    """Serves the owner of result payloads."""

    def __init__(self, results: Results) -> None:
        self._results = results

    async def StoreResult(
        self, request: pb.StoreResultRequest, context: Any
    ) -> pb.StoreResultResponse:
        """Store outputs; the first write of an execution wins."""
        stored = await self._results.store([wire.output_from(each) for each in request.results])
        return pb.StoreResultResponse(stored=stored)

    async def GetResult(self, request: pb.GetResultRequest, context: Any) -> pb.GetResultResponse:
        """Read outputs."""
        answers = await self._results.get(wire.executions_from(request.executions))
        return pb.GetResultResponse(entries=map(_entry, answers))


def _entry(answer: bytes | TaskQueueError) -> pb.ResultEntry:
    if isinstance(answer, TaskQueueError):
        return pb.ResultEntry(error=wire.error_to(answer))
    return pb.ResultEntry(output=answer)
