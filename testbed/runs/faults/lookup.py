"""After a fault run: waits until the jobs have ended, then looks up every one, for the history.

What the checker concludes about lost jobs rests on these calls. They are recorded under the client
name ``audit``: one whole listing, then status and result of every job that was accepted or seen.
Those that have not ended are looked up again until they have, or are gone, or time is up.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.rpc import connect, status
from testbed.drive.audit import CALL_SECONDS, CONCURRENCY, MISSING, PAGE, row_of
from testbed.record.history import messages
from testbed.record.history.writer import HistoryWriter
from testbed.record.model import OPEN_STATES, JobRow

if TYPE_CHECKING:
    from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceAsyncStub

CLIENT = "audit"
ATTEMPTS = 4
PAUSE = 0.5
# Without a word from the server a call that ended so may have had its effect.
_INDEFINITE = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL"})

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Found:
    """What was found: a row for each job that was accepted or is listed, in the order of their ids.

    ``problem`` says what keeps these from being all jobs at rest, and is empty if nothing does.
    ``unlisted`` says that of the listing alone.
    """

    jobs: tuple[JobRow, ...]
    unlisted: str
    problem: str


class Lookup:
    """Looks up jobs at the endpoints of a stack and writes every call to a history."""

    def __init__(
        self, endpoints: Sequence[str], writer: HistoryWriter, on_progress: OnProgress
    ) -> None:
        self._endpoints = endpoints
        self._writer = writer
        self._on_progress = on_progress
        self._rows: dict[str, JobRow] = {}

    async def run(self, accepted: Iterable[str], seconds: float) -> Found:
        """Look up each job that was accepted or is listed.

        Waits up to ``seconds`` until no job is queued or running; those that are left then are
        looked up as they are, and are a problem.
        """
        channels = [connect.aio_channel(each) for each in self._endpoints]
        self._stubs = itertools.cycle(
            [
                (endpoint, TaskQueueServiceStub(channel))
                for endpoint, channel in zip(self._endpoints, channels, strict=True)
            ]
        )
        self._accepted = frozenset(accepted)
        end = time.monotonic() + seconds
        try:
            await self._drain(end)
            unlisted = await self._list()
            await self._each(self._accepted | self._rows.keys())
            while (left := self._unfinished()) and time.monotonic() < end:
                await asyncio.sleep(PAUSE)
                await self._each(left)
        finally:
            await asyncio.gather(*(channel.close() for channel in channels))
        jobs = tuple(self._rows[job_id] for job_id in sorted(self._rows))
        return Found(jobs, unlisted, unlisted or _left(self._unfinished(), seconds))

    def _unfinished(self) -> list[str]:
        return sorted(each.job_id for each in self._rows.values() if each.state in OPEN_STATES)

    async def _drain(self, end: float) -> None:
        """Wait until nothing is queued or running."""
        for state in (pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING):
            while time.monotonic() < end:
                reply = await self._ask("ListJobs", pb.ListJobsRequest(state=state, page_size=1))
                if isinstance(reply, pb.ListJobsResponse) and not reply.jobs:
                    break
                await asyncio.sleep(PAUSE)

    async def _list(self) -> str:
        """Read the whole list; return why it could not be read, nothing if it was."""
        token = ""
        for number in itertools.count():
            request = pb.ListJobsRequest(page_size=PAGE, page_token=token)
            page = await self._ask("ListJobs", request, f"{CLIENT}/whole", number)
            if not isinstance(page, pb.ListJobsResponse):
                return f"not all jobs could be listed: {page}"
            for job in page.jobs:
                self._rows[job.job_id] = row_of(job, job.job_id in self._accepted)
            token = page.next_page_token
            if not token:
                break
        return ""

    async def _each(self, job_ids: Iterable[str]) -> None:
        todo = sorted(job_ids)
        turns = iter(todo)
        done = itertools.count(1)

        async def ask_in_turn() -> None:
            for job_id in turns:
                await self._one(job_id, job_id in self._accepted)
                self._on_progress(next(done), len(todo))

        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(ask_in_turn())

    async def _one(self, job_id: str, accepted: bool) -> None:
        answer = await self._ask("GetJobStatus", pb.GetJobStatusRequest(job_id=job_id))
        if isinstance(answer, pb.GetJobStatusResponse):
            self._rows[job_id] = row_of(answer.status, accepted)
        else:
            state = MISSING if str(answer).startswith("NOT_FOUND") else ""
            self._rows[job_id] = JobRow(job_id, accepted, state=state, problem=str(answer))
        await self._ask("GetJobResult", pb.GetJobResultRequest(job_id=job_id))

    async def _ask(self, call: str, request: Any, scan: str = "", number: int = 0) -> Any:
        """Call a method, again if it may help; return the reply, or what went wrong as a text."""
        error_text = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSE)
            endpoint, stub = next(self._stubs)
            entry = self._writer.invoke(
                CLIENT, endpoint, call, messages.asked_of(request, scan, number)
            )
            try:
                reply = await _method(stub, call)(request, timeout=CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                error_text = f"{error.code().name}: {error.details()}"
                reason, definite = _read(error)
                self._writer.failed(entry, error.code().name, reason, definite)
                if definite:
                    return error_text
            else:
                self._writer.ok(entry, messages.answer_of(reply))
                return reply
        return error_text


def lookup(
    endpoints: Sequence[str],
    accepted: Iterable[str],
    seconds: float,
    writer: HistoryWriter,
    on_progress: OnProgress = lambda _done, _total: None,
) -> Found:
    """Run a :class:`Lookup` to its end."""
    return asyncio.run(Lookup(endpoints, writer, on_progress).run(accepted, seconds))


def _left(job_ids: Sequence[str], seconds: float) -> str:
    if not job_ids:
        return ""
    return (
        f"jobs that were still queued or running {seconds:g} s after the load: {len(job_ids)}, the "
        f"first is {job_ids[0]}"
    )


def _method(stub: TaskQueueServiceAsyncStub, call: str) -> Callable[..., Awaitable[Any]]:
    method: Callable[..., Awaitable[Any]] = getattr(stub, call)
    return method


def _read(error: grpc.aio.AioRpcError) -> tuple[str, bool]:
    """Return the reason that the server gave, if any, and whether the outcome is definite."""
    info = status.error_info(error)
    if info is None:
        return "", error.code().name not in _INDEFINITE
    return info.reason, info.metadata.get(status.OUTCOME) == "definite"
