"""The internal messages of Design A and the domain's values, each way."""

from __future__ import annotations

from collections.abc import Iterable

from common.domain import errors, ids
from common.domain.errors import InvalidArgument, TaskQueueError
from common.domain.job import (
    MAX_OUTPUT_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_REQUEST_ID_BYTES,
    Assignment,
    Execution,
    Failure,
    Job,
    JobState,
    Outcome,
)
from common.domain.paging import MAX_PAGE_SIZE, JobQuery
from common.gen.taskqueue.internal.v1 import coordinator_service_pb2 as coordinator_pb
from common.gen.taskqueue.internal.v1 import entries_pb2 as pb
from common.gen.taskqueue.internal.v1 import job_service_pb2 as job_pb
from common.gen.taskqueue.internal.v1 import queue_service_pb2 as queue_pb
from common.gen.taskqueue.internal.v1 import result_service_pb2 as result_pb
from common.ports import NewEntry, NewJob, Transition
from common.rpc import convert

# Names of kinds and workers and correlation ids.
MAX_NAME_BYTES = 128


def error_to(error: TaskQueueError) -> pb.EntryError:
    """Write why an entry could not be served."""
    return pb.EntryError(reason=error.reason, message=error.message, metadata=error.metadata)


def error_from(message: pb.EntryError) -> TaskQueueError:
    """Read why an entry could not be served."""
    return errors.from_wire(message.reason, message.message, message.metadata)


def record_to(answer: Job | TaskQueueError) -> pb.JobRecordEntry:
    """Write a record, or why there is none."""
    if isinstance(answer, TaskQueueError):
        return pb.JobRecordEntry(error=error_to(answer))
    return pb.JobRecordEntry(record=convert.status_to(answer))


def record_from(message: pb.JobRecordEntry) -> Job | TaskQueueError:
    """Read a record, or why there is none."""
    if message.HasField("error"):
        return error_from(message.error)
    return convert.status_from(message.record)


def execution_to(execution: Execution) -> pb.Execution:
    """Write an execution."""
    return pb.Execution(job_id=execution.job_id, attempt=execution.attempt)


def execution_from(message: pb.Execution) -> Execution:
    """Read an execution. Raises ``InvalidArgument`` for one that cannot be."""
    ids.check(message.job_id)
    if not message.attempt:
        raise InvalidArgument("attempt", "executions are numbered from 1")
    return Execution(message.job_id, message.attempt)


def executions_from(messages: Iterable[pb.Execution]) -> list[Execution]:
    """Read executions."""
    return [execution_from(message) for message in messages]


def ids_from(job_ids: Iterable[str]) -> list[str]:
    """Read ids. Raises ``InvalidArgument`` for a text that is none."""
    read = list(job_ids)
    for job_id in read:
        ids.check(job_id)
    return read


def new_job_to(new: NewJob) -> job_pb.NewJob:
    """Write a record to create."""
    return job_pb.NewJob(
        kind=new.kind, request_id=new.request_id, digest=new.digest, submit_id=new.submit_id
    )


def new_job_from(message: job_pb.NewJob) -> NewJob:
    """Read a record to create. Raises ``InvalidArgument`` for a text that is too long."""
    _check_size(message.kind, MAX_NAME_BYTES, "jobs.kind")
    _check_size(message.request_id, MAX_REQUEST_ID_BYTES, "jobs.request_id")
    return NewJob(message.kind, message.request_id, message.digest, message.submit_id)


def new_entry_to(entry: NewEntry) -> queue_pb.NewQueueEntry:
    """Write an entry to add."""
    return queue_pb.NewQueueEntry(
        job_id=entry.job_id,
        job=convert.spec_to(entry.spec),
        correlation_id=entry.correlation_id,
    )


def new_entry_from(message: queue_pb.NewQueueEntry) -> NewEntry:
    """Read an entry to add. Raises ``InvalidArgument`` for what no gateway sends."""
    ids.check(message.job_id)
    _check_size(message.job.kind, MAX_NAME_BYTES, "entries.job.kind")
    _check_size(message.job.payload, MAX_PAYLOAD_BYTES, "entries.job.payload")
    _check_size(message.correlation_id, MAX_NAME_BYTES, "entries.correlation_id")
    spec = convert.spec_from(message.job)
    return NewEntry(message.job_id, spec, message.correlation_id)


def output_from(message: result_pb.NewResult) -> tuple[Execution, bytes]:
    """Read an output to store. Raises ``InvalidArgument`` for one that no job may have."""
    _check_size(message.output, MAX_OUTPUT_BYTES, "results.output")
    return execution_from(message.execution), message.output


def query_from(message: job_pb.ListJobRecordsRequest) -> JobQuery:
    """Read a query. Raises ``InvalidArgument`` unless it is for one page at most."""
    if message.before_job_id:
        ids.check(message.before_job_id)
    # One more than a page, which shows whether there is a next one.
    if message.limit > MAX_PAGE_SIZE + 1:
        raise InvalidArgument("limit", f"{message.limit} is more than {MAX_PAGE_SIZE + 1}")
    state = convert.state_filter_from(message.state)
    return JobQuery(state, message.kind, message.before_job_id, message.limit)


def worker_from(name: str) -> str:
    """Read the name of a worker. Raises ``InvalidArgument`` for none and for one too long."""
    if not name:
        raise InvalidArgument("worker", "must not be empty")
    _check_size(name, MAX_NAME_BYTES, "worker")
    return name


def check_max_jobs(
    request: coordinator_pb.FetchWorkRequest | coordinator_pb.ReportWorkOutcomeRequest,
) -> None:
    """Raise ``InvalidArgument`` for a worker that asks for more jobs than it has slots."""
    if request.max_jobs > request.slots:
        raise InvalidArgument("max_jobs", "is more than the worker has slots")


def assignment_to(assignment: Assignment) -> pb.Assignment:
    """Write a leased entry."""
    return pb.Assignment(
        execution=execution_to(assignment.execution),
        job=convert.spec_to(assignment.spec),
        correlation_id=assignment.correlation_id,
    )


def assignment_from(message: pb.Assignment) -> Assignment:
    """Read a leased entry."""
    return Assignment(
        execution_from(message.execution), convert.spec_from(message.job), message.correlation_id
    )


def transition_to(step: Transition) -> job_pb.Transition:
    """Write a step."""
    return job_pb.Transition(
        execution=execution_to(step.execution),
        to_state=convert.state_to(step.target),
        worker=step.worker,
        failure=convert.failure_to(step.failure),
    )


def transition_from(message: job_pb.Transition) -> Transition:
    """Read a step. Raises ``InvalidArgument`` if its state or its worker is none."""
    state = _state_from(message.to_state, "transitions.to_state")
    worker = worker_from(message.worker) if state is JobState.RUNNING else ""
    return Transition(execution_from(message.execution), state, worker, _failure_from(message))


def cancel_reason_from(value: job_pb.CancelReason.ValueType) -> job_pb.CancelReason.ValueType:
    """Read why a cancel is asked for. Raises ``InvalidArgument`` for a number that is no reason."""
    if value not in job_pb.CancelReason.values():
        raise InvalidArgument("reason", f"{value} is no reason to cancel")
    return value


def report_to(execution: Execution, outcome: Outcome) -> coordinator_pb.WorkReport:
    """Write how an execution ended."""
    return coordinator_pb.WorkReport(
        execution=execution_to(execution),
        outcome=pb.Outcome(
            state=convert.state_to(outcome.state),
            output=outcome.output,
            failure=convert.failure_to(outcome.failure),
        ),
    )


def report_from(message: coordinator_pb.WorkReport) -> tuple[Execution, Outcome]:
    """Read how an execution ended. Raises ``InvalidArgument`` for what is no end."""
    state = _state_from(message.outcome.state, "reports.outcome.state")
    # A step to RUNNING is in the table: taken as an end, it would take the job out of the queue.
    if not state.terminal:
        raise InvalidArgument("reports.outcome.state", f"{state.name} is no end")
    _check_size(message.outcome.output, MAX_OUTPUT_BYTES, "reports.outcome.output")
    outcome = Outcome(state, message.outcome.output, _failure_from(message.outcome))
    return execution_from(message.execution), outcome


def _state_from(value: int, field: str) -> JobState:
    state = convert.state_filter_from(value)
    if state is None:
        raise InvalidArgument(field, "must be given")
    return state


def _check_size(value: str | bytes, limit: int, field: str) -> None:
    if len(value) > limit:
        raise InvalidArgument(field, f"is longer than {limit}")


def _failure_from(message: pb.Outcome | job_pb.Transition) -> Failure | None:
    if not message.HasField("failure"):
        return None
    return Failure(message.failure.reason, message.failure.message)
