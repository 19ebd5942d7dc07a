"""The public messages and the domain's values, each way."""

from __future__ import annotations

from typing import cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from common.domain.errors import InvalidArgument
from common.domain.job import MICROSECONDS, Failure, Job, JobSpec, JobState
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb

NANOS = 1_000_000_000
_STATES: dict[int, JobState] = {int(state): state for state in JobState}
# The most that a Duration may hold (protobuf's own limit), in seconds.
MAX_DURATION = 315_576_000_000


def spec_from(message: pb.JobSpec) -> JobSpec:
    """Read a job to accept. Raises ``InvalidArgument`` for a timeout that is no duration."""
    timeout = None
    if message.HasField("execution_timeout"):
        timeout = _microseconds(message.execution_timeout, "job.execution_timeout")
    return JobSpec(message.kind, message.payload, timeout)


def spec_to(spec: JobSpec) -> pb.JobSpec:
    """Write a job to accept."""
    message = pb.JobSpec(kind=spec.kind, payload=spec.payload)
    if spec.execution_timeout is not None:
        message.execution_timeout.CopyFrom(duration_to(spec.execution_timeout))
    return message


def status_to(job: Job) -> pb.JobStatus:
    """Write a record."""
    return pb.JobStatus(
        job_id=job.id,
        kind=job.kind,
        state=state_to(job.state),
        attempt=job.attempt,
        create_time=_timestamp(job.create_time),
        start_time=_timestamp(job.start_time),
        finish_time=_timestamp(job.finish_time),
        worker=job.worker,
        failure=failure_to(job.failure),
        cancel_requested=job.cancel_requested,
    )


def status_from(message: pb.JobStatus) -> Job:
    """Read a record."""
    return Job(
        id=message.job_id,
        kind=message.kind,
        state=_STATES[message.state],
        attempt=message.attempt,
        create_time=_microseconds_of(message.create_time),
        start_time=_time(message, "start_time"),
        finish_time=_time(message, "finish_time"),
        worker=message.worker,
        failure=failure_from(message),
        cancel_requested=message.cancel_requested,
    )


def state_to(state: JobState | None) -> pb.JobState.ValueType:
    """Write a state; ``None`` is unspecified."""
    return cast("pb.JobState.ValueType", int(state or 0))


def state_filter_from(value: int) -> JobState | None:
    """Read a state to filter by. Raises ``InvalidArgument`` for a number that is no state."""
    if not value:
        return None
    state = _STATES.get(value)
    if state is None:
        raise InvalidArgument("state", f"{value} is no job state")
    return state


def failure_to(failure: Failure | None) -> pb.JobFailure | None:
    """Write a failure, if there is one."""
    if failure is None:
        return None
    return pb.JobFailure(reason=failure.reason, message=failure.message)


def failure_from(
    message: pb.JobStatus | pb.GetJobResultResponse,
) -> Failure | None:
    """Read the failure of a message, if it has one."""
    if not message.HasField("failure"):
        return None
    return Failure(message.failure.reason, message.failure.message)


def duration_to(microseconds: int) -> Duration:
    """Write a duration."""
    seconds, rest = divmod(microseconds, MICROSECONDS)
    return Duration(seconds=seconds, nanos=rest * 1000)


def seconds_to(seconds: float) -> Duration:
    """Write a duration that is given in seconds."""
    return duration_to(int(seconds * MICROSECONDS))


def seconds_from(duration: Duration, field: str) -> float:
    """Read a duration in seconds. Raises ``InvalidArgument`` for one that is none or negative."""
    microseconds = _microseconds(duration, field)
    if microseconds < 0:
        raise InvalidArgument(field, "must not be negative")
    return microseconds / MICROSECONDS


def _microseconds(duration: Duration, field: str) -> int:
    """Read a duration, rounded up, so that a positive one stays positive."""
    signs = {value > 0 for value in (duration.seconds, duration.nanos) if value}
    if (
        abs(duration.seconds) > MAX_DURATION
        or abs(duration.nanos) >= NANOS
        or (abs(duration.seconds) == MAX_DURATION and duration.nanos)
        or len(signs) > 1
    ):
        raise InvalidArgument(
            field, f"{duration.seconds} s and {duration.nanos} ns are no duration in range"
        )
    return duration.seconds * MICROSECONDS - (-duration.nanos // 1000)


def _timestamp(microseconds: int | None) -> Timestamp | None:
    if microseconds is None:
        return None
    seconds, rest = divmod(microseconds, MICROSECONDS)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def _time(message: pb.JobStatus, field: str) -> int | None:
    if not message.HasField(field):  # type: ignore[arg-type]
        return None
    return _microseconds_of(getattr(message, field))


def _microseconds_of(time: Timestamp) -> int:
    # As Timestamp.ToMicroseconds, which checks the range of what only we have written.
    return time.seconds * MICROSECONDS + time.nanos // 1000
