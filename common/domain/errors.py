"""Every error that a caller of the task queue can meet.

Each error has a canonical gRPC code, a stable upper-snake reason and an outcome: ``definite`` means
that the operation did not happen, otherwise it may have. The tree is the whole vocabulary: what
crosses the wire is rebuilt on the other side by :func:`from_wire`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar


class Code(StrEnum):
    """The canonical gRPC codes in use, by name."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    DATA_LOSS = "DATA_LOSS"
    INTERNAL = "INTERNAL"


class TaskQueueError(Exception):
    """Base of all errors. ``metadata`` holds details by name, as strings."""

    code: ClassVar[Code] = Code.INTERNAL
    reason: ClassVar[str] = "INTERNAL"
    definite: ClassVar[bool] = False

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: dict[str, str] = metadata


class InternalError(TaskQueueError):
    """A defect in the service: the operation may or may not have happened."""


class InvalidArgument(TaskQueueError):
    """A field of the request is wrong; ``metadata["field"]`` names it."""

    code = Code.INVALID_ARGUMENT
    reason = "INVALID_FIELD"
    definite = True

    def __init__(self, field: str, problem: str, **metadata: str) -> None:
        super().__init__(f"{field}: {problem}", field=field, **metadata)


class UnknownKind(InvalidArgument):
    """No handler is registered for the job's kind."""

    reason = "UNKNOWN_KIND"


class PayloadTooLarge(InvalidArgument):
    """The payload exceeds the limit."""

    reason = "PAYLOAD_TOO_LARGE"


class UnreadablePayload(InvalidArgument):
    """The job's kind cannot read the payload."""

    reason = "UNREADABLE_PAYLOAD"


class MalformedJobId(InvalidArgument):
    """The text is not the id of any job."""

    reason = "MALFORMED_JOB_ID"


class InvalidPageToken(InvalidArgument):
    """The token is damaged or belongs to another query."""

    reason = "INVALID_PAGE_TOKEN"


class MalformedMessage(InvalidArgument):
    """The bytes of the call are not its message; there is no field to name."""

    reason = "MALFORMED_MESSAGE"

    def __init__(self, problem: str) -> None:
        TaskQueueError.__init__(self, f"the message cannot be read: {problem}")


class JobNotFound(TaskQueueError):
    """No job has this id."""

    code = Code.NOT_FOUND
    reason = "JOB_NOT_FOUND"
    definite = True

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id}", job_id=job_id)


class JobNotFinished(TaskQueueError):
    """The job has no result yet."""

    code = Code.FAILED_PRECONDITION
    reason = "JOB_NOT_FINISHED"
    definite = True

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"job {job_id} is {state}, not finished", job_id=job_id, state=state)


class RequestIdReused(TaskQueueError):
    """The request id was used before, for another job."""

    code = Code.FAILED_PRECONDITION
    reason = "REQUEST_ID_REUSED"
    definite = True

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} was used before for another job", request_id=request_id
        )


class TransitionRejected(TaskQueueError):
    """The lifecycle table has no such step from the job's state."""

    code = Code.FAILED_PRECONDITION
    reason = "TRANSITION_REJECTED"
    definite = True

    def __init__(
        self, job_id: str, source: str, target: str, why: str = "not in the table"
    ) -> None:
        super().__init__(
            f"job {job_id} cannot go from {source} to {target}: {why}",
            job_id=job_id,
            source=source,
            target=target,
        )


class StaleAttempt(TaskQueueError):
    """The step was taken by an execution that a later one has replaced."""

    code = Code.FAILED_PRECONDITION
    reason = "STALE_ATTEMPT"
    definite = True

    def __init__(self, job_id: str, attempt: int, current: int) -> None:
        super().__init__(
            f"attempt {attempt} of job {job_id} was replaced by attempt {current}",
            job_id=job_id,
            attempt=str(attempt),
            current=str(current),
        )


class CallerNotAllowed(TaskQueueError):
    """The caller may not call this method."""

    code = Code.PERMISSION_DENIED
    reason = "CALLER_NOT_ALLOWED"
    definite = True

    def __init__(self, caller: str, method: str) -> None:
        super().__init__(f"{caller!r} may not call {method}", caller=caller, method=method)


class CallerNotProven(TaskQueueError):
    """The caller claims a name within the stack and does not have the secret of the stack."""

    code = Code.PERMISSION_DENIED
    reason = "CALLER_NOT_PROVEN"
    definite = True

    def __init__(self, caller: str) -> None:
        super().__init__(
            f"who says it is {caller!r} has not proven it: its secret of the stack "
            "(TASKQUEUE_SECRET_FILE) is missing, or another than here",
            caller=caller,
        )


class NotHome(TaskQueueError):
    """A node forwarded a call to a node at which its job, or request id, is not at home."""

    code = Code.FAILED_PRECONDITION
    reason = "NOT_HOME"
    definite = True

    def __init__(self, node: str, *, job_id: str = "", request_id: str = "") -> None:
        name, value = ("job_id", job_id) if job_id else ("request_id", request_id)
        super().__init__(f"{name} {value} is not at home on {node}", node=node, **{name: value})


class HomeMoving(TaskQueueError):
    """Nodes join or leave, and the home of the request id is another one each time it is asked."""

    code = Code.UNAVAILABLE
    reason = "HOME_MOVING"
    definite = True

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"the home of request_id {request_id} is moving; try again", request_id=request_id
        )


class QueueFull(TaskQueueError):
    """A limit of the queue is reached; ``metadata["limit"]`` names it."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "QUEUE_FULL"
    definite = True

    def __init__(self, limit: str, value: int) -> None:
        super().__init__(f"the queue is at its limit: {limit} = {value}", limit=limit)


class Overloaded(TaskQueueError):
    """A process has more calls or unread answers, or was sent a larger message, than it takes."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "OVERLOADED"
    definite = True

    def __init__(self, peer: str, why: str) -> None:
        super().__init__(f"{peer} refused the call: {why}", peer=peer)


class OwnerUnreachable(TaskQueueError):
    """The process that owns the state did not answer: the operation may have happened."""

    code = Code.UNAVAILABLE
    reason = "OWNER_UNREACHABLE"

    def __init__(self, owner: str, why: str) -> None:
        super().__init__(f"{owner} is out of reach: {why}", owner=owner)


class StoreUnreachable(TaskQueueError):
    """The store of an owner did not do what it was asked: that may have happened."""

    code = Code.UNAVAILABLE
    reason = "STORE_UNREACHABLE"

    def __init__(self, store: str, why: str) -> None:
        super().__init__(f"{store} is out of reach: {why}", store=store)


class StoreUnready(TaskQueueError):
    """The store of an owner cannot be asked, or refuses for a time: nothing happened."""

    code = Code.UNAVAILABLE
    reason = "STORE_UNREADY"
    definite = True

    def __init__(self, store: str, why: str) -> None:
        super().__init__(f"{store} takes nothing at present: {why}", store=store)


class StoreFull(TaskQueueError):
    """The store of an owner has no room left, in memory or on disk: nothing happened."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "STORE_FULL"
    definite = True

    def __init__(self, store: str, why: str) -> None:
        super().__init__(f"{store} is full: {why}", store=store)


class Stopping(TaskQueueError):
    """The process stops and begins no new work; another one may take it."""

    code = Code.UNAVAILABLE
    reason = "STOPPING"
    definite = True

    def __init__(self, process: str) -> None:
        super().__init__(f"{process} stops and begins nothing new", process=process)


class SubmitWithdrawn(TaskQueueError):
    """The submit came too late: what was left of it had been taken back. No job came of it."""

    code = Code.UNAVAILABLE
    reason = "SUBMIT_WITHDRAWN"
    definite = True

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} came too late and was withdrawn", what=what)


class DeadlineExceeded(TaskQueueError):
    """Time ran out on the way: the operation may have happened."""

    code = Code.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"

    def __init__(self, where: str) -> None:
        super().__init__(f"the deadline passed while waiting for {where}", where=where)


class DeadlineAlreadyPast(TaskQueueError):
    """The call arrived after its deadline and was not begun."""

    code = Code.DEADLINE_EXCEEDED
    reason = "DEADLINE_ALREADY_PAST"
    definite = True

    def __init__(self) -> None:
        super().__init__("the call arrived after its deadline and was not begun")


class MessageNotReceived(TaskQueueError):
    """The call was opened and its message did not arrive in time."""

    code = Code.DEADLINE_EXCEEDED
    reason = "MESSAGE_NOT_RECEIVED"
    definite = True


class ResultLost(TaskQueueError):
    """The job is DONE but its output is lost, because its owner lost its state."""

    code = Code.DATA_LOSS
    reason = "RESULT_LOST"
    definite = True

    def __init__(self, job_id: str) -> None:
        super().__init__(f"the output of job {job_id} was lost with its owner", job_id=job_id)


def _tree(root: type[TaskQueueError]) -> list[type[TaskQueueError]]:
    return [root, *(leaf for branch in root.__subclasses__() for leaf in _tree(branch))]


_BY_REASON: Mapping[str, type[TaskQueueError]] = {
    kind.reason: kind for kind in reversed(_tree(TaskQueueError))
}


def from_wire(reason: str, message: str, metadata: Mapping[str, str]) -> TaskQueueError:
    """Rebuild an error from its three parts; an unknown reason gives the base class."""
    kind = _BY_REASON.get(reason, TaskQueueError)
    error = kind.__new__(kind)
    TaskQueueError.__init__(error, message, **metadata)
    return error


def copy_of(error: TaskQueueError) -> TaskQueueError:
    """Return an equal error, for another who waits for the same; ``error`` is its cause."""
    kind = type(error)
    copy = kind.__new__(kind)
    TaskQueueError.__init__(copy, error.message, **error.metadata)
    copy.__cause__ = error
    return copy
