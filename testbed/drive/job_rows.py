"""A job as a row of ``jobs.csv``, out of the status that a stack gives of it."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.record.model import JobRow


def row_of(status: pb.JobStatus, accepted: bool) -> JobRow:
    """Return a status as a row; ``accepted`` says whether the load generator was promised it."""
    return JobRow(
        job_id=status.job_id,
        accepted=accepted,
        state=_state(status.state),
        attempt=status.attempt,
        create_us=_microseconds(status, "create_time", status.create_time),
        start_us=_microseconds(status, "start_time", status.start_time),
        finish_us=_microseconds(status, "finish_time", status.finish_time),
        worker=status.worker,
        failure=status.failure.reason,
    )


def _state(value: int) -> str:
    """Return the state's name; a number that is no state stays one, and is no terminal state."""
    try:
        return pb.JobState.Name(value).removeprefix("JOB_STATE_")  # type: ignore[arg-type]
    except ValueError:
        return str(value)


def _microseconds(status: pb.JobStatus, field: str, time_of: Timestamp) -> int | None:
    return time_of.ToMicroseconds() if status.HasField(field) else None  # type: ignore[arg-type]
