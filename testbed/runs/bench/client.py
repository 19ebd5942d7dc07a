"""Submits no-op jobs as fast as a fixed number of callers can, and waits for them to finish.

``python -m testbed.runs.bench.client TASK [PATH]`` reads a :class:`Task` as JSON and writes a
:class:`ClientRun` as JSON, to PATH or to its output. It is a process of its own so that its work is
not counted as a server's.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import grpc
import uvloop

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.rpc import connect

if TYPE_CHECKING:
    from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceAsyncStub

CALL_SECONDS = 10.0
DRAIN_SECONDS = 120.0
DRAIN_PAUSE = 0.05
# Longer than from one sample of CPU to the next: what follows it is not counted with the jobs.
REST_SECONDS = 0.3
PAGE = 1000


@dataclass(frozen=True)
class Task:
    """What to do: submit for ``seconds`` after ``warmup``, or ``jobs`` jobs if that is not 0.

    ``callers`` submit at the same time, each with one call in flight. With ``drain`` the run ends
    when every job is terminal.
    """

    endpoints: list[str] = field(default_factory=list)
    callers: int = 16
    warmup: float = 0.5
    seconds: float = 4.0
    jobs: int = 0
    drain: bool = True


@dataclass
class ClientRun:
    """What came of it. Calls are those that were answered within the measured window.

    ``p50_ms`` is the median time of them. ``started_unix`` to ``ended_unix`` spans warm-up, calls
    and drain, until the last job has ended; ``accepted`` counts all of that. ``job_seconds`` is
    from the first job's creation to the last one's end on the owner's clock, 0 without a drain.
    """

    calls: int = 0
    window_seconds: float = 0.0
    p50_ms: float = 0.0
    accepted: int = 0
    finished: int = 0
    job_seconds: float = 0.0
    started_unix: float = 0.0
    ended_unix: float = 0.0
    cpu_seconds: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)


class Client:
    """Runs one task."""

    def __init__(self, task: Task, stubs: list[TaskQueueServiceAsyncStub]) -> None:
        self._task = task
        self._stubs = stubs
        self._run = ClientRun()
        self._first_id = ""
        self._tickets = itertools.count()
        self._seconds: list[float] = []

    async def run(self) -> ClientRun:
        """Submit, drain and return what came of it."""
        run, task = self._run, self._task
        run.started_unix = time.time()
        start = time.perf_counter()
        self._from = start + (0.0 if task.jobs else task.warmup)
        self._to = float("inf") if task.jobs else self._from + task.seconds
        async with asyncio.TaskGroup() as group:
            for number in range(task.callers):
                group.create_task(self._submit(self._stubs[number % len(self._stubs)]))
        run.window_seconds = min(time.perf_counter(), self._to) - self._from
        run.p50_ms = median(self._seconds) * 1e3 if self._seconds else 0.0
        if task.drain:
            await self._drain()
        run.ended_unix = time.time()
        run.cpu_seconds = time.process_time()
        if task.drain:
            await asyncio.sleep(REST_SECONDS)
            await self._read_times()
        return run

    async def _submit(self, stub: TaskQueueServiceAsyncStub) -> None:
        request = pb.SubmitJobRequest(job=pb.JobSpec(kind="noop"))
        run = self._run
        while (began := time.perf_counter()) < self._to and self._ticket():
            try:
                answer = await stub.SubmitJob(request, timeout=CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                key = f"{error.code().name}: {error.details()}"
                run.errors[key] = run.errors.get(key, 0) + 1
                await asyncio.sleep(DRAIN_PAUSE)
                continue
            run.accepted += 1
            self._first_id = min(self._first_id or answer.job_id, answer.job_id)
            if self._from <= (ended := time.perf_counter()) < self._to:
                run.calls += 1
                self._seconds.append(ended - began)

    def _ticket(self) -> bool:
        return not self._task.jobs or next(self._tickets) < self._task.jobs

    async def _drain(self) -> None:
        """Wait until nothing is queued or running."""
        end = time.monotonic() + DRAIN_SECONDS
        for state in (pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING):
            request = pb.ListJobsRequest(state=state, page_size=1)
            while (await self._stubs[0].ListJobs(request, timeout=CALL_SECONDS)).jobs:
                if time.monotonic() > end:
                    raise TimeoutError(f"jobs are not finished {DRAIN_SECONDS:g} s after the last")
                await asyncio.sleep(DRAIN_PAUSE)

    async def _read_times(self) -> None:
        """Read when each of this run's jobs was created and when it ended."""
        created, finished, token = [], [], ""
        while True:
            request = pb.ListJobsRequest(page_size=PAGE, page_token=token)
            page = await self._stubs[0].ListJobs(request, timeout=CALL_SECONDS)
            for job in page.jobs:
                if job.job_id >= self._first_id and job.HasField("finish_time"):
                    created.append(job.create_time.ToMicroseconds())
                    finished.append(job.finish_time.ToMicroseconds())
            token = page.next_page_token
            if not token or page.jobs[-1].job_id < self._first_id:
                break
        self._run.finished = len(finished)
        if finished:
            self._run.job_seconds = (max(finished) - min(created)) / 1e6


async def main(task: Task) -> ClientRun:
    """Connect each caller on a connection of its own and run the task."""
    endpoints = itertools.cycle(task.endpoints)
    channels = [
        connect.aio_channel(next(endpoints), connect.OWN_CONNECTION) for _ in range(task.callers)
    ]
    try:
        return await Client(task, [TaskQueueServiceStub(each) for each in channels]).run()
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(main(Task(**json.loads(sys.argv[1]))))
    written = json.dumps(asdict(outcome)) + "\n"
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(written, encoding="utf-8")
    else:
        sys.stdout.write(written)
