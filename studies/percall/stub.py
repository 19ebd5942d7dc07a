"""What stands in for gRPC, so that a layer's own cost is not lost in that of a whole call."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import grpc

from common.domain.ids import IdMint
from common.domain.job import Job, JobState
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb

METHOD = "GetJobStatus"
PATH = f"/taskqueue.v1.TaskQueueService/{METHOD}"
JOB_ID = IdMint(0, 1).next(0)
REQUEST = pb.GetJobStatusRequest(job_id=JOB_ID)
RESPONSE = pb.GetJobStatusResponse(status=pb.JobStatus(job_id=JOB_ID, kind="noop", attempt=1))
# What a client of grpc.aio sends with a call.
METADATA = (
    ("user-agent", "grpc-python-asyncio/1.0.0 grpc-c/50.0.0 (linux; chttp2)"),
    ("x-correlation-id", "0123456789abcdef"),
)


class Context:
    """The context of one call that has come whole."""

    def __init__(self) -> None:
        self._messages = [grpc.aio.EOF, REQUEST.SerializeToString()]

    async def read(self) -> Any:
        """Give the message, then the end."""
        return self._messages.pop()

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Give what came along."""
        return METADATA

    def time_remaining(self) -> float:
        """Give the seconds that are left."""
        return 5.0


class Details:
    """The only thing of ``grpc.HandlerCallDetails`` that our interceptors read."""

    method = PATH


class Answer:
    """An outbound call that is answered at once."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __await__(self) -> Generator[Any, None, pb.GetJobStatusResponse]:
        yield from ()
        return RESPONSE


class Queue:
    """A task queue of one job, with nothing behind it."""

    _job = Job(
        id=JOB_ID, kind="noop", state=JobState.RUNNING, attempt=1, create_time=1, start_time=2
    )

    async def status(self, _job_id: str) -> Job:
        """Give the one job."""
        return self._job
