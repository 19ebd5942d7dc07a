"""After a drive, looks up every accepted job until it is terminal, within a bounded time."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.rpc import connect
from testbed.drive.ports import TrialFailed
from testbed.record.model import TERMINAL_STATES, JobRow

if TYPE_CHECKING:
    from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceAsyncStub

PAGE = 1000
CALL_SECONDS = 5.0
LAST_CALL_SECONDS = 0.05
CONCURRENCY = 32
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
MISSING = "MISSING"


class Audit:
    """Looks up jobs at the endpoints of a stack. ``seconds`` bounds the whole of it.

    ``on_progress`` is called now and then with how many jobs are done, and how many there are.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        accepted: Iterable[str],
        seconds: float,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._endpoints = endpoints
        self._accepted = frozenset(accepted)
        self._seconds = seconds
        self._on_progress = on_progress
        self._rows: dict[str, JobRow] = {}

    async def run(self) -> tuple[JobRow, ...]:
        """Return a row for every job that was accepted or is listed, in the order of their ids.

        A job that is unknown, or not terminal when the time is up, has its ``problem`` filled in.
        Raises :class:`TrialFailed` if the jobs cannot be listed in that time: what nobody was
        promised would be looked for nowhere else.
        """
        self._end = time.monotonic() + self._seconds
        channels = [connect.aio_channel(each) for each in self._endpoints]
        self._stubs = itertools.cycle([TaskQueueServiceStub(channel) for channel in channels])
        try:
            unlisted = await self._list()
            await self._follow(self._open())
            while unlisted and time.monotonic() < self._end:
                await asyncio.sleep(LONGEST_PAUSE)
                unlisted = await self._list()
                await self._follow(self._open())
        finally:
            await asyncio.gather(*(channel.close() for channel in channels))
        if unlisted:
            raise TrialFailed(f"the jobs could not be listed after the drive: {unlisted}")
        return tuple(self._rows[job_id] for job_id in sorted(self._rows))

    def _open(self) -> list[str]:
        """Return the jobs that have not been seen terminal."""
        known = self._accepted | self._rows.keys()
        return sorted(job_id for job_id in known if not self._is_final(job_id))

    def _is_final(self, job_id: str) -> bool:
        row = self._rows.get(job_id)
        return row is not None and (row.state in TERMINAL_STATES or row.state == MISSING)

    async def _list(self) -> str:
        """Take in the bulk of the jobs page by page; return why that failed, nothing if not."""
        try:
            await self._drain()
            async for status in self._all_jobs():
                self._rows[status.job_id] = self._row(status)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        finally:
            self._report_progress()
        return ""

    async def _drain(self) -> None:
        """Wait until no job is queued or running, so that one pass over the list will do."""
        pause = FIRST_PAUSE
        for state in (pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING):
            while time.monotonic() < self._end:
                request = pb.ListJobsRequest(state=state, page_size=1)
                if not (await self._stub().ListJobs(request, timeout=CALL_SECONDS)).jobs:
                    break
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _all_jobs(self) -> AsyncIterator[pb.JobStatus]:
        token = ""
        while True:
            request = pb.ListJobsRequest(page_size=PAGE, page_token=token)
            page = await self._stub().ListJobs(request, timeout=CALL_SECONDS)
            for status in page.jobs:
                yield status
            token = page.next_page_token
            if not token:
                return

    async def _follow(self, job_ids: list[str]) -> None:
        """Ask for each job until it is terminal, a few at a time."""
        if not job_ids:
            return
        todo = iter(job_ids)

        async def ask_in_turn() -> None:
            for job_id in todo:
                self._rows[job_id] = await self._until_final(job_id)
                self._report_progress()

        async with asyncio.TaskGroup() as group:
            for _ in range(min(CONCURRENCY, len(job_ids))):
                group.create_task(ask_in_turn())

    async def _until_final(self, job_id: str) -> JobRow:
        pause = FIRST_PAUSE
        while True:
            row = await self._ask(job_id)
            if row.state in TERMINAL_STATES or row.state == MISSING:
                return row
            if time.monotonic() + pause > self._end:
                return row
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _ask(self, job_id: str) -> JobRow:
        request = pb.GetJobStatusRequest(job_id=job_id)
        try:
            answer = await self._stub().GetJobStatus(request, timeout=self._left())
        except grpc.aio.AioRpcError as error:
            unknown = error.code() is grpc.StatusCode.NOT_FOUND
            return JobRow(
                job_id,
                job_id in self._accepted,
                state=MISSING if unknown else "",
                problem=f"{error.code().name}: {error.details()}",
            )
        return self._row(answer.status)

    def _left(self) -> float:
        """Seconds that the next call may take; a moment once time is up, to name what is lost."""
        return max(LAST_CALL_SECONDS, min(CALL_SECONDS, self._end - time.monotonic()))

    def _row(self, status: pb.JobStatus) -> JobRow:
        row = row_of(status, status.job_id in self._accepted)
        if row.state in TERMINAL_STATES:
            return row
        return replace(row, problem=f"still {row.state} {self._seconds:g} s after the drive")

    def _report_progress(self) -> None:
        total = len(self._accepted | self._rows.keys())
        self._on_progress(sum(map(self._is_final, self._rows)), total)

    def _stub(self) -> TaskQueueServiceAsyncStub:
        return next(self._stubs)


def audit(
    endpoints: Sequence[str],
    accepted: Iterable[str],
    seconds: float,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[JobRow, ...]:
    """Run an :class:`Audit` to its end."""
    return asyncio.run(Audit(endpoints, accepted, seconds, on_progress).run())


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
