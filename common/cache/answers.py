"""The two answers that are kept, as the messages of the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from common.domain.job import Job, JobResult, JobState
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.rpc import convert

T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A kind of answer: its name in metrics and keys, how it is written, and how it is read.

    ``read`` raises ``ValueError`` or ``DecodeError`` for what ``write`` has not written.
    """

    name: str
    write: Callable[[T], bytes]
    read: Callable[[bytes], T]

    def key(self, job_id: str) -> str:
        """Return the key under which the answer for a job is kept."""
        return f"{self.name}:{job_id}"


def _write_status(job: Job) -> bytes:
    return convert.status_to(job).SerializeToString()


def _read_status(message: bytes) -> Job:
    return convert.status_from(pb.JobStatus.FromString(message))


def _write_result(result: JobResult) -> bytes:
    return pb.GetJobResultResponse(
        state=convert.state_to(result.state),
        output=result.output,
        failure=convert.failure_to(result.failure),
    ).SerializeToString()


def _read_result(message: bytes) -> JobResult:
    found = pb.GetJobResultResponse.FromString(message)
    return JobResult(JobState(found.state), found.output, convert.failure_from(found))


STATUS: Answer[Job] = Answer("status", _write_status, _read_status)
RESULT: Answer[JobResult] = Answer("result", _write_result, _read_result)
