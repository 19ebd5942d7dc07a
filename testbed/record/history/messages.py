"""From the messages of the public contract to the values of a history."""

from __future__ import annotations

import hashlib

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from common.domain.errors import InvalidArgument
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.rpc import convert
from testbed.record.history.lines import Answer, Asked
from testbed.record.history.model import Listed, Page, Result, Seen, Submitted
from testbed.record.history.outputs import output_of

DIGITS = 16
_PREFIX = "JOB_STATE_"


def asked_of(request: Message, scan: str = "", number: int = 0, outputs: bool = True) -> Asked:
    """Return what a call asks. ``scan`` and ``number`` place a page of a listing.

    Without ``outputs`` no output is expected of a job: kinds of these names may be others.
    Raises ``TypeError`` for a message that is no request of the contract.
    """
    if isinstance(request, pb.SubmitJobRequest):
        output = output_of(request.job.kind, request.job.payload) if outputs else None
        return Submitted(
            request.job.kind,
            _digest_of_spec(request.job),
            request.request_id,
            "" if output is None else digest(output),
        )
    if isinstance(request, pb.ListJobsRequest):
        state = _state(request.state) if request.state else ""
        return Page(scan, number, state, request.kind, request.page_size)
    if isinstance(request, pb.GetJobStatusRequest | pb.GetJobResultRequest | pb.CancelJobRequest):
        return request.job_id
    raise TypeError(f"{type(request).__name__} is no request of the contract")


def answer_of(reply: Message) -> Answer:
    """Return what a call was answered. Raises ``TypeError`` for a message that is no reply."""
    if isinstance(reply, pb.SubmitJobResponse):
        return reply.job_id
    if isinstance(reply, pb.GetJobStatusResponse | pb.CancelJobResponse):
        return _seen(reply.status)
    if isinstance(reply, pb.GetJobResultResponse):
        return Result(_state(reply.state), digest(reply.output), _failure(reply))
    if isinstance(reply, pb.ListJobsResponse):
        return Listed(tuple(map(_seen, reply.jobs)), bool(reply.next_page_token))
    raise TypeError(f"{type(reply).__name__} is no reply of the contract")


def digest(data: bytes) -> str:
    """Return the first hexadecimal digits of the SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def _digest_of_spec(job: pb.JobSpec) -> str:
    """Return a digest that is equal exactly for what the contract calls the same job."""
    try:
        return convert.spec_from(job).digest().hex()[:DIGITS]
    except InvalidArgument:  # no service accepts it, but the call may be recorded
        return digest(job.SerializeToString(deterministic=True))


def _seen(status: pb.JobStatus) -> Seen:
    return Seen(
        status.job_id,
        status.kind,
        _state(status.state),
        status.attempt,
        status.worker,
        _time(status.HasField("create_time"), status.create_time),
        _time(status.HasField("start_time"), status.start_time),
        _time(status.HasField("finish_time"), status.finish_time),
        _failure(status),
        status.cancel_requested,
    )


def _state(value: int) -> str:
    """Return the state's name; a number that is no state stays one, for the checker to judge."""
    try:
        return pb.JobState.Name(value).removeprefix(_PREFIX)  # type: ignore[arg-type]
    except ValueError:
        return str(value)


def _failure(message: pb.JobStatus | pb.GetJobResultResponse) -> str:
    if not message.HasField("failure"):
        return ""
    failure = message.failure
    return f"{failure.reason}: {failure.message}" if failure.message else failure.reason


def _time(given: bool, time: Timestamp) -> int | None:
    return time.ToMicroseconds() if given else None
