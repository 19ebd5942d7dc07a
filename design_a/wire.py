"""The internal messages of Design A and the domain's values, each way."""

from __future__ import annotations

from collections.abc import Iterable

from common.domain import errors
from common.domain.errors import TaskQueueError
from common.domain.job import Assignment, Execution, Failure, Job, JobState, Outcome
from common.gen.taskqueue.internal.v1 import coordinator_service_pb2 as coordinator_pb
from common.gen.taskqueue.internal.v1 import entries_pb2 as pb
from common.gen.taskqueue.internal.v1 import job_service_pb2 as job_pb
from common.ports import Transition
from common.rpc import convert


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
    """Read an execution."""
    return Execution(message.job_id, message.attempt)


def executions_from(messages: Iterable[pb.Execution]) -> list[Execution]:
    """Read executions."""
    return [execution_from(message) for message in messages]


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
    """Read a step. Raises ``InvalidArgument`` if its state is none."""
    return Transition(
        execution_from(message.execution),
        _state_from(message.to_state, "transitions.to_state"),
        message.worker,
        _failure_from(message),
    )


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
    """Read how an execution ended. Raises ``InvalidArgument`` if its state is none."""
    state = _state_from(message.outcome.state, "reports.outcome.state")
    outcome = Outcome(state, message.outcome.output, _failure_from(message.outcome))
    return execution_from(message.execution), outcome


def _state_from(value: int, field: str) -> JobState:
    state = convert.state_filter_from(value)
    if state is None:
        raise errors.InvalidArgument(field, "must be given")
    return state


def _failure_from(message: pb.Outcome | job_pb.Transition) -> Failure | None:
    if not message.HasField("failure"):
        return None
    return Failure(message.failure.reason, message.failure.message)
