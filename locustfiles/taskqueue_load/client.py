"""The task queue's public methods as calls that Locust counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter, time
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from taskqueue_load.channels import ChannelPool
from taskqueue_load.outcome import CallError, classify

REQUEST_TYPE = "grpc"
SUBMIT = "SubmitJob"
STATUS = "GetJobStatus"
RESULT = "GetJobResult"
CANCEL = "CancelJob"
LIST = "ListJobs"
RESULT_NOT_FINISHED = "GetJobResult (not finished)"
CANCEL_ALREADY_FINISHED = "CancelJob (already finished)"
EXPECTED = frozenset({RESULT_NOT_FINISHED, CANCEL_ALREADY_FINISHED})
"""Names under which answers are counted that give no result and are no failure."""

_FINISHED = frozenset({pb.JOB_STATE_DONE, pb.JOB_STATE_FAILED})
_NO_CONTEXT: Mapping[str, Any] = {}

Reply = TypeVar("Reply", bound=Message)


class RequestEvent(Protocol):
    """The part of Locust's ``request`` event that is used here."""

    def fire(self, **arguments: Any) -> None:
        """Tell all listeners."""


class TaskQueueClient:
    """The calls of one user. Each has a deadline, goes to the next endpoint and fires ``request``.

    A method returns the reply, or the :class:`CallError` in its place; it raises only for a defect
    of the client, which is counted too. ``first`` is where in the pool the user starts.
    """

    def __init__(
        self, request: RequestEvent, pool: ChannelPool, first: int, deadline: float
    ) -> None:
        self._request = request
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
        """Cancel a job. ``again`` says that this client canceled it before.

        That the job was terminal before is counted under a name of its own.
        """
        name_of = _repeated_cancel_name if again else _cancel_name
        return self._call(
            CANCEL, lambda stub: stub.CancelJob, pb.CancelJobRequest(job_id=job_id), name_of
        )

    def list_jobs(self, request: pb.ListJobsRequest) -> pb.ListJobsResponse | CallError:
        """Ask for one page of jobs."""
        return self._call(LIST, lambda stub: stub.ListJobs, request)

    def _call(
        self,
        name: str,
        method: Callable[[TaskQueueServiceStub], Callable[..., Reply]],
        request: Message,
        name_of: Callable[[Any], str] | None = None,
    ) -> Reply | CallError:
        number = self._next
        self._next = (number + 1) % len(self._pool.stubs)
        call = method(self._pool.stubs[number])
        start_time, started = time(), perf_counter()
        try:
            reply = call(request, timeout=self._deadline)
        except grpc.RpcError as failure:
            elapsed, error = perf_counter() - started, classify(failure)
            if name == RESULT and error.not_finished:
                self._tell(RESULT_NOT_FINISHED, number, start_time, elapsed, None, None)
            else:
                self._tell(name, number, start_time, elapsed, None, error)
            return error
        except Exception as defect:
            error = CallError("UNKNOWN", type(defect).__name__, definite=False)
            self._tell(name, number, start_time, perf_counter() - started, None, error)
            raise
        elapsed = perf_counter() - started
        name = name if name_of is None else name_of(reply)
        self._tell(name, number, start_time, elapsed, reply, None)
        return reply

    def _tell(
        self,
        name: str,
        number: int,
        start_time: float,
        elapsed: float,
        reply: Message | None,
        error: CallError | None,
    ) -> None:
        """Fire ``request`` with all the arguments that Locust documents for its listeners."""
        self._request.fire(
            request_type=REQUEST_TYPE,
            name=name,
            response_time=elapsed * 1000,
            response_length=0 if reply is None else reply.ByteSize(),
            response=reply,
            context=_NO_CONTEXT,
            exception=error,
            start_time=start_time,
            url=self._pool.endpoints[number],
        )


def _cancel_name(reply: pb.CancelJobResponse) -> str:
    return CANCEL_ALREADY_FINISHED if reply.status.state in _FINISHED else CANCEL


def _repeated_cancel_name(reply: pb.CancelJobResponse) -> str:
    # After one's own cancel, CANCELED says that the job ended before this call.
    return CANCEL_ALREADY_FINISHED if reply.status.state >= pb.JOB_STATE_DONE else CANCEL
