"""A client of the public contract, as plain as a user would write one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1 import task_queue_service_pb2_grpc as pb_grpc
from common.rpc import connect
from tests.support.waiting import eventually

QUEUED, RUNNING, DONE, FAILED, CANCELED = (
    pb.JOB_STATE_QUEUED,
    pb.JOB_STATE_RUNNING,
    pb.JOB_STATE_DONE,
    pb.JOB_STATE_FAILED,
    pb.JOB_STATE_CANCELED,
)
TERMINAL = frozenset({DONE, FAILED, CANCELED})
TIMEOUT = 15.0


@dataclass(frozen=True)
class Rejection:
    """An error as a client sees it; without a rich status reason and domain are empty."""

    code: str
    reason: str
    domain: str
    metadata: dict[str, str]
    message: str


def read_error(error: grpc.RpcError) -> Rejection:
    """Take apart the error that ended a call."""
    code, details = error.code().name, error.details() or ""
    status = rpc_status.from_call(error)
    if status is None:
        return Rejection(code, "", "", {}, details)
    infos = []
    for detail in status.details:
        info = ErrorInfo()
        if detail.Unpack(info):
            infos.append(info)
    assert len(infos) == 1, f"{code} carries {len(infos)} ErrorInfo, not one"
    (info,) = infos
    return Rejection(code, info.reason, info.domain, dict(info.metadata), details)


def rejection_of(call: Callable[[], Any]) -> Rejection:
    """Make a call that has to fail and return its error."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return read_error(error)
    raise AssertionError(f"the call should have failed, but answered {answer!r}")


def spec(kind: str, payload: bytes = b"", execution_timeout: float | None = None) -> pb.JobSpec:
    """Describe a job; ``execution_timeout`` is in seconds."""
    job = pb.JobSpec(kind=kind, payload=payload)
    if execution_timeout is not None:
        duration = Duration()
        duration.FromNanoseconds(int(execution_timeout * 1e9))
        job.execution_timeout.CopyFrom(duration)
    return job


class Calls:
    """The five methods over some stubs in turn, each with a deadline; errors are ``RpcError``."""

    def __init__(self, *stubs: pb_grpc.TaskQueueServiceStub) -> None:
        self._turns = itertools.cycle(stubs)

    @property
    def stub(self) -> pb_grpc.TaskQueueServiceStub:
        """The stub of the endpoint whose turn it is."""
        return next(self._turns)

    def submit(
        self, job: pb.JobSpec, request_id: str = "", metadata: Sequence[tuple[str, str]] = ()
    ) -> str:
        """Submit a job and return its id."""
        request = pb.SubmitJobRequest(job=job, request_id=request_id)
        return self.stub.SubmitJob(request, timeout=TIMEOUT, metadata=tuple(metadata)).job_id

    def status(self, job_id: str) -> pb.JobStatus:
        """Return where a job stands."""
        request = pb.GetJobStatusRequest(job_id=job_id)
        return self.stub.GetJobStatus(request, timeout=TIMEOUT).status

    def result(self, job_id: str) -> pb.GetJobResultResponse:
        """Return what a terminal job produced."""
        return self.stub.GetJobResult(pb.GetJobResultRequest(job_id=job_id), timeout=TIMEOUT)

    def cancel(self, job_id: str) -> pb.JobStatus:
        """Cancel a job and return where it stands."""
        return self.stub.CancelJob(pb.CancelJobRequest(job_id=job_id), timeout=TIMEOUT).status

    def list(
        self, state: Any = 0, kind: str = "", page_size: int = 0, page_token: str = ""
    ) -> pb.ListJobsResponse:
        """Return one page of jobs."""
        request = pb.ListJobsRequest(
            state=state, kind=kind, page_size=page_size, page_token=page_token
        )
        return self.stub.ListJobs(request, timeout=TIMEOUT)

    def pages(
        self, state: Any = 0, kind: str = "", page_size: int = 0
    ) -> Iterator[pb.ListJobsResponse]:
        """Iterate over the pages of a list to its end."""
        token = ""
        while True:
            page = self.list(state, kind, page_size, token)
            yield page
            token = page.next_page_token
            if not token:
                return

    def all_jobs(self, state: Any = 0, kind: str = "") -> list[pb.JobStatus]:
        """Return the whole list."""
        return [job for page in self.pages(state, kind, 1000) for job in page.jobs]

    def wait(self, job_id: str, *states: Any, within: float = 30.0) -> pb.JobStatus:
        """Wait until a job is in one of ``states``, by default any terminal one."""
        wanted = frozenset(states) or TERMINAL
        return eventually(
            lambda: self.status(job_id),
            lambda status: status.state in wanted,
            within,
            f"job {job_id} in {sorted(pb.JobState.Name(each) for each in wanted)}",
        )

    def run(self, job: pb.JobSpec, within: float = 30.0) -> pb.JobStatus:
        """Submit a job and wait until it is terminal."""
        return self.wait(self.submit(job), within=within)


def grpcio_channel(address: str) -> grpc.Channel:
    """Return a channel of grpcio with a connection of its own."""
    return connect.channel(address, connect.OWN_CONNECTION)


class Client(Calls):
    """Calls the endpoints in turn; ``at`` has the same calls for each endpoint alone.

    ``open_channel`` makes the channel to an endpoint, of grpcio unless another is given.
    """

    def __init__(
        self, endpoints: Sequence[str], open_channel: Callable[[str], Any] | None = None
    ) -> None:
        self.endpoints = tuple(endpoints)
        self.channels = [(open_channel or grpcio_channel)(each) for each in endpoints]
        self.stubs = [pb_grpc.TaskQueueServiceStub(channel) for channel in self.channels]
        self.at = [Calls(stub) for stub in self.stubs]
        super().__init__(*self.stubs)

    def close(self) -> None:
        """Close the channels."""
        for channel in self.channels:
            channel.close()
