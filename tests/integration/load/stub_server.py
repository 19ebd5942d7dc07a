"""A server of the public contract with no task queue behind it, to be started as a program.

Prints its ports as one JSON list, then serves until its input ends; then it prints, as one JSON
object for each port, how often each method was called. A job is QUEUED until it has been asked for
``--polls`` times, then DONE. With ``--refuse`` every submit ends with that reason, as a definite
or an indefinite error; with ``--delay`` every call takes that long.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from itertools import count
from typing import Any

import grpc

from common.domain import errors
from common.domain.errors import TaskQueueError
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import (
    TaskQueueServiceServicer,
    add_TaskQueueServiceServicer_to_server,
)
from common.rpc.status import to_grpc

ERRORS: dict[str, TaskQueueError] = {
    "definite": errors.QueueFull("max_queued_jobs", 1),
    "indefinite": errors.OwnerUnreachable("queue", "no answer"),
}
TERMINAL = {pb.JOB_STATE_DONE, pb.JOB_STATE_CANCELED}


class Jobs:
    """The state that all ports share."""

    def __init__(self, polls: int) -> None:
        self.states: dict[str, pb.JobState.ValueType] = {}
        self.polls: Counter[str] = Counter()
        self.wanted = polls
        self.numbers = count(1)

    def poll(self, job_id: str) -> pb.JobStatus:
        """Return the status; enough polls end the job."""
        self.polls[job_id] += 1
        if self.states[job_id] == pb.JOB_STATE_QUEUED and self.polls[job_id] > self.wanted:
            self.states[job_id] = pb.JOB_STATE_DONE
        return pb.JobStatus(job_id=job_id, state=self.states[job_id])


class Stub(TaskQueueServiceServicer):
    """One port."""

    def __init__(self, jobs: Jobs, options: argparse.Namespace) -> None:
        self.jobs = jobs
        self.options = options
        self.calls: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.peers: set[str] = set()
        self.order: list[str] = []

    async def _called(self, method: str, context: Any) -> None:
        self.calls[method] += 1
        self.order.append(method)
        self.peers.add(context.peer())
        if self.options.delay:
            await asyncio.sleep(self.options.delay)

    async def SubmitJob(  # noqa: N802
        self, request: Any, context: Any
    ) -> pb.SubmitJobResponse:
        await self._called("SubmitJob", context)
        if self.options.refuse:
            await context.abort_with_status(to_grpc(ERRORS[self.options.refuse]))
        self.kinds[f"{request.job.kind} {len(request.job.payload)}"] += 1
        job_id = f"{next(self.jobs.numbers):016d}"
        self.jobs.states[job_id] = pb.JOB_STATE_QUEUED
        return pb.SubmitJobResponse(job_id=job_id)

    async def GetJobStatus(  # noqa: N802
        self, request: Any, context: Any
    ) -> pb.GetJobStatusResponse:
        await self._called("GetJobStatus", context)
        return pb.GetJobStatusResponse(status=self.jobs.poll(request.job_id))

    async def GetJobResult(  # noqa: N802
        self, request: Any, context: Any
    ) -> pb.GetJobResultResponse:
        await self._called("GetJobResult", context)
        state = self.jobs.poll(request.job_id).state
        if state not in TERMINAL:
            await context.abort_with_status(
                to_grpc(errors.JobNotFinished(request.job_id, "QUEUED"))
            )
        return pb.GetJobResultResponse(state=state, output=b"output")

    async def CancelJob(  # noqa: N802
        self, request: Any, context: Any
    ) -> pb.CancelJobResponse:
        await self._called("CancelJob", context)
        if self.jobs.states[request.job_id] == pb.JOB_STATE_QUEUED:
            self.jobs.states[request.job_id] = pb.JOB_STATE_CANCELED
        state = self.jobs.states[request.job_id]
        return pb.CancelJobResponse(status=pb.JobStatus(job_id=request.job_id, state=state))

    async def ListJobs(  # noqa: N802
        self, request: Any, context: Any
    ) -> pb.ListJobsResponse:
        await self._called("ListJobs", context)
        return pb.ListJobsResponse(next_page_token="" if request.page_token else "more")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ports", type=int, default=1)
    parser.add_argument("--polls", type=int, default=1)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--refuse", choices=sorted(ERRORS), default="")
    options = parser.parse_args()
    jobs = Jobs(options.polls)
    stubs = [Stub(jobs, options) for _ in range(options.ports)]
    servers = [grpc.aio.server() for _ in stubs]
    ports = []
    for stub, server in zip(stubs, servers, strict=True):
        add_TaskQueueServiceServicer_to_server(stub, server)
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        await server.start()
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for stub, server in zip(stubs, servers, strict=True):
        await server.stop(0)
        seen = {
            "calls": stub.calls,
            "kinds": stub.kinds,
            "connections": len(stub.peers),
            "order": stub.order,
        }
        sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
