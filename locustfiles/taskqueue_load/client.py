"""The task queue's public methods as calls that Locust counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter, time
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from taskqueue_load.arrivals import DUE
from taskqueue_load.channels import ChannelPool
from taskqueue_load.history import CallHistory
from taskqueue_load.names import (
    CANCEL,
    CANCEL_ALREADY_FINISHED,
    LIST,
    RESULT,
    RESULT_NOT_FINISHED,
    STATUS,
    SUBMIT,
)
from taskqueue_load.outcome import CallError, classify
from taskqueue_load.recorder import Recorder

REQUEST_TYPE = "grpc"

_FINISHED = frozenset({pb.JOB_STATE_DONE, pb.JOB_STATE_FAILED})
_NO_CONTEXT: Mapping[str, Any] = {}

Reply = TypeVar("Reply", bound=Message)


class RequestEvent(Protocol):
    """The part of Locust's ``request`` event that is used here."""

    def fire(self, **arguments: Any) -> None:
        """Notify all listeners."""


class TaskQueueClient:
    """The calls of one user. Each has a deadline, goes to the next endpoint and fires ``request``.

    A method returns the reply, or the :class:`CallError` in its place; it raises only for a defect
    of the client, which is counted too. ``first`` is where in the pool the user starts.

    The first call after :data:`~taskqueue_load.arrivals.DUE` was set was due then: the response
    time that Locust gets begins there. With a ``history`` every call is written there, under
    the ``name`` of the user.
    """

    def __init__(
        self,
        request: RequestEvent,
        recorder: Recorder,
        pool: ChannelPool,
        first: int,
        deadline: float,
        name: str = "",
        history: CallHistory | None = None,
    ) -> None:
        self._name = name
        self._history = history
        self._request = request
        self._recorder = recorder
        self._pool = pool
        self._next = first % len(pool.stubs)
        self._deadline = deadline

    def submit(self, request: pb.SubmitJobRequest) -> pb.SubmitJobResponse | CallError:
        """Submit a job."""
        return self._call(SUBMIT, lambda stub: stub.SubmitJob, request)

    def status(self, job_id: str) -> pb.GetJobStatusResponse | CallError:
        """Ask where a job stands."""
        return self._call(
            STATUS, lambda stub: stub.GetJobStatus, pb.GetJobStatusRequest(job_id=job_id)
        )

    def result(self, job_id: str) -> pb.GetJobResultResponse | CallError:
        """Ask for a job's output; that it has none yet is counted under a name of its own."""
        return self._call(
            RESULT, lambda stub: stub.GetJobResult, pb.GetJobResultRequest(job_id=job_id)
        )

    def cancel(self, job_id: str, again: bool = False) -> pb.CancelJobResponse | CallError:
        """Cancel a job. ``again`` is whether this client canceled it before.

        That the job was terminal before is counted under a name of its own.
        """
        name_of = _repeated_cancel_name if again else _cancel_name
        return self._call(
            CANCEL, lambda stub: stub.CancelJob, pb.CancelJobRequest(job_id=job_id), name_of
        )

    def list_jobs(
        self, request: pb.ListJobsRequest, scan: str = "", page: int = 0
    ) -> pb.ListJobsResponse | CallError:
        """Ask for one page of jobs; in a history it is page number ``page`` of the ``scan``."""
        return self._call(LIST, lambda stub: stub.ListJobs, request, scan=scan, page=page)

    def _call(
        self,
        name: str,
        method: Callable[[TaskQueueServiceStub], Callable[..., Reply]],
        request: Message,
        name_of: Callable[[Any], str] | None = None,
        scan: str = "",
        page: int = 0,
    ) -> Reply | CallError:
        number = self._next
        self._next = (number + 1) % len(self._pool.stubs)
        call = method(self._pool.stubs[number])
        due = DUE.get()
        sent = _Sent(number, time(), perf_counter())
        if due is not None:
            DUE.set(None)
            sent.delay = sent.started - due
        self._recorder.began(sent.unix, unplanned=due is None)
        if self._history is not None:
            sent.entry = self._history.begins(
                self._name, self._pool.endpoints[number], name, request, scan, page
            )
        try:
            reply = call(request, timeout=self._deadline)
        except grpc.RpcError as failure:
            sent.service = perf_counter() - sent.started
            error = classify(failure)
            if self._history is not None:
                self._history.failed(sent.entry, error)
            if name == RESULT and error.not_finished:
                self._answered(RESULT_NOT_FINISHED, sent, None)
            else:
                self._failed(name, sent, error)
            return error
        except Exception as defect:
            sent.service = perf_counter() - sent.started
            self._failed(name, sent, CallError("UNKNOWN", type(defect).__name__, definite=False))
            raise
        except BaseException:  # the user is ended in the middle of it
            self._recorder.cut_off()
            raise
        sent.service = perf_counter() - sent.started
        if self._history is not None:
            self._history.answered(sent.entry, reply)
        self._answered(name if name_of is None else name_of(reply), sent, reply)
        return reply

    def _answered(self, name: str, sent: _Sent, reply: Message | None) -> None:
        self._recorder.answered(name, sent.unix + sent.service, sent.service, sent.delay)
        if isinstance(reply, pb.SubmitJobResponse):
            self._recorder.accepted(reply.job_id)
        self._fire(name, sent, reply, None)

    def _failed(self, name: str, sent: _Sent, error: CallError) -> None:
        self._recorder.failed(name, sent.unix + sent.service, error)
        self._fire(name, sent, None, error)

    def _fire(
        self,
        name: str,
        sent: _Sent,
        reply: Message | None,
        error: CallError | None,
    ) -> None:
        """Fire ``request`` with all the arguments that Locust documents for its listeners."""
        self._request.fire(
            request_type=REQUEST_TYPE,
            name=name,
            response_time=(sent.delay + sent.service) * 1000,
            response_length=0 if reply is None else reply.ByteSize(),
            response=reply,
            context=_NO_CONTEXT,
            exception=error,
            start_time=sent.unix,
            url=self._pool.endpoints[sent.number],
        )


@dataclass(slots=True)
class _Sent:
    """A call: which stub has it, when it was sent (on two clocks), how late; how long it took.

    ``entry`` is its number in the history.
    """

    number: int
    unix: float
    started: float
    delay: float = 0.0
    service: float = 0.0
    entry: int = 0


def _cancel_name(reply: pb.CancelJobResponse) -> str:
    return CANCEL_ALREADY_FINISHED if reply.status.state in _FINISHED else CANCEL


def _repeated_cancel_name(reply: pb.CancelJobResponse) -> str:
    # After one's own cancel, CANCELED means that the job ended before this call.
    return CANCEL_ALREADY_FINISHED if reply.status.state >= pb.JOB_STATE_DONE else CANCEL
