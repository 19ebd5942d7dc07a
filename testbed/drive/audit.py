"""After a drive, looks up every accepted job until it is terminal, within a bounded time.

How a call is made is a hook (:mod:`testbed.drive.audit_calls`): plainly where a stack is measured,
written to the history in a fault run (:mod:`testbed.runs.faults.recorded_audit`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import grpc
from google.protobuf.message import Message

from common.config import Settings
from common.domain import ids
from common.domain.errors import MalformedJobId
from common.domain.job import MICROSECONDS
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.drive.audit_calls import CALL_SECONDS, Call, Caller, connected, plain, words_of
from testbed.drive.job_rows import row_of
from testbed.drive.ports import TrialFailed
from testbed.record.model import EXPIRED, OPEN_STATES, TERMINAL_STATES, JobRow
from testbed.stack.records import StackRecord

PAGE = 1000
LAST_CALL_SECONDS = 0.05
CONCURRENCY = 32
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
MISSING = "MISSING"
SETTLED_STATES = TERMINAL_STATES | {MISSING, EXPIRED}
# By how many seconds the clock here and that of a job's owner may differ.
CLOCK_SLACK = 1.0

OnProgress = Callable[[int, int], None]
"""Is called with how many jobs are looked up, and how many there are."""


@dataclass(frozen=True)
class Found:
    """What an audit found: a row for each job that was accepted or is listed, by ascending id.

    ``unlisted`` says why these may not be all jobs, ``unfinished`` which are still queued or
    running; both are empty if nothing is wrong.
    """

    jobs: tuple[JobRow, ...]
    unlisted: str = ""
    unfinished: str = ""

    @property
    def problem(self) -> str:
        """What keeps these from being all jobs at rest, empty if nothing does."""
        return self.unlisted or self.unfinished

    def all_jobs(self) -> tuple[JobRow, ...]:
        """Return the jobs. Raises :class:`TrialFailed` if they may not be all.

        A job that nobody was promised would be looked for nowhere but in the list.
        """
        if self.unlisted:
            raise TrialFailed(self.unlisted)
        return self.jobs


class Audit:
    """Looks up jobs at the endpoints of a stack. ``seconds`` bounds the whole of it.

    ``caller`` makes the calls. With ``results`` each job is asked for its status and its result;
    without, what the list says of a terminal job is enough. A job may be forgotten ``retention``
    seconds after its end, 0 for never.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        accepted: Iterable[str],
        seconds: float,
        on_progress: OnProgress = lambda _done, _total: None,
        *,
        caller: Caller = plain,
        results: bool = False,
        retention: float = 0.0,
    ) -> None:
        self._endpoints = endpoints
        self._accepted = frozenset(accepted)
        self._seconds = seconds
        self._on_progress = on_progress
        self._caller = caller
        self._results = results
        self._retention = retention
        self._rows: dict[str, JobRow] = {}
        self._settled: set[str] = set()
        self._listings = itertools.count(1)

    async def run(self) -> Found:
        """Look up every job that was accepted or is listed until it is terminal or unknown.

        One that is not when the time is up has its ``problem`` filled in.
        """
        self._end = time.monotonic() + self._seconds
        pause = FIRST_PAUSE
        async with connected(self._endpoints) as self._servers:
            unlisted = await self._list()
            await self._look_up(self._open())
            while (unlisted or self._open()) and time.monotonic() + pause < self._end:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                if unlisted:
                    unlisted = await self._list()
                await self._look_up(self._open())
        jobs = tuple(self._rows[job_id] for job_id in sorted(self._rows))
        if unlisted:
            unlisted = f"the jobs could not be listed after the drive: {unlisted}"
        return Found(jobs, unlisted, _unfinished(jobs, self._seconds))

    def _open(self) -> list[str]:
        """Return the jobs that have to be looked up, again or for the first time."""
        return sorted((self._accepted | self._rows.keys()) - self._settled)

    async def _list(self) -> str:
        """Take in the bulk of the jobs page by page; return why that failed, nothing if not."""
        try:
            await self._drain()
            async for status in self._all_jobs():
                self._take(self._row(status), enough=not self._results)
        except grpc.aio.AioRpcError as error:
            return words_of(error)
        finally:
            self._report_progress()
        return ""

    async def _drain(self) -> None:
        """Wait until no job is queued or running, so that one pass over the list will do."""
        pause = FIRST_PAUSE
        for state in (pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING):
            while time.monotonic() < self._end:
                request = pb.ListJobsRequest(state=state, page_size=1)
                seen = (await self._call("ListJobs", request, CALL_SECONDS)).jobs
                if not seen:
                    break
                # What nobody was promised may be withdrawn meanwhile, and stand in no list then.
                for status in seen:
                    self._take(self._row(status), enough=False)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _all_jobs(self) -> AsyncIterator[pb.JobStatus]:
        token, scan = "", f"whole-{next(self._listings)}"
        for number in itertools.count():
            request = pb.ListJobsRequest(page_size=PAGE, page_token=token)
            page = await self._call("ListJobs", request, CALL_SECONDS, scan, number)
            for status in page.jobs:
                yield status
            token = page.next_page_token
            if not token:
                return

    async def _look_up(self, job_ids: Sequence[str]) -> None:
        """Ask for each job once, a few at a time."""
        turns = iter(job_ids)

        async def ask_in_turn() -> None:
            for job_id in turns:
                await self._ask(job_id)
                self._report_progress()

        async with asyncio.TaskGroup() as group:
            for _ in range(min(CONCURRENCY, len(job_ids))):
                group.create_task(ask_in_turn())

    async def _ask(self, job_id: str) -> None:
        row = await self._status(job_id)
        if self._results:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self._call("GetJobResult", pb.GetJobResultRequest(job_id=job_id))
        self._take(row)

    async def _status(self, job_id: str) -> JobRow:
        try:
            reply = await self._call("GetJobStatus", pb.GetJobStatusRequest(job_id=job_id))
        except grpc.aio.AioRpcError as error:
            missing = error.code() is grpc.StatusCode.NOT_FOUND
            if missing and self._may_have_expired(job_id):
                return JobRow(job_id, job_id in self._accepted, state=EXPIRED)
            state = MISSING if missing else ""
            return JobRow(job_id, job_id in self._accepted, state=state, problem=words_of(error))
        return self._row(reply.status)

    def _may_have_expired(self, job_id: str) -> bool:
        """Say whether a job that is not found may have ended that long ago.

        Where its id says when it was made it cannot have ended before that.
        """
        if not self._retention:
            return False
        try:
            made = ids.parse(job_id).time / MICROSECONDS
        except MalformedJobId:
            return True
        return time.time() - made >= self._retention - CLOCK_SLACK

    async def _call(
        self,
        method: str,
        request: Message,
        seconds: float | None = None,
        scan: str = "",
        number: int = 0,
    ) -> Any:
        call = Call(method, request, seconds or self._left(), scan, number)
        return await self._caller(self._servers, call)

    def _left(self) -> float:
        """Seconds that the next call may take; a moment once time is up, to name what is lost."""
        return max(LAST_CALL_SECONDS, min(CALL_SECONDS, self._end - time.monotonic()))

    def _row(self, status: pb.JobStatus) -> JobRow:
        row = row_of(status, status.job_id in self._accepted)
        if row.state in TERMINAL_STATES:
            return row
        return replace(row, problem=f"still {row.state} {self._seconds:g} s after the drive")

    def _take(self, row: JobRow, enough: bool = True) -> None:
        """Keep what was found of a job; ``enough`` says whether a state that stays settles it."""
        if row.state == MISSING and not row.accepted:
            # It was listed, and withdrawn meanwhile: nothing is missing.
            self._rows.pop(row.job_id, None)
            return
        self._rows[row.job_id] = row
        if enough and row.state in SETTLED_STATES:
            self._settled.add(row.job_id)

    def _report_progress(self) -> None:
        self._on_progress(len(self._settled), len(self._accepted | self._rows.keys()))


def audit(
    endpoints: Sequence[str],
    accepted: Iterable[str],
    seconds: float,
    on_progress: OnProgress = lambda _done, _total: None,
    retention: float = 0.0,
) -> tuple[JobRow, ...]:
    """Run an :class:`Audit` to its end. Raises :class:`TrialFailed` if there may be more jobs."""
    running = Audit(endpoints, accepted, seconds, on_progress, retention=retention).run()
    return asyncio.run(running).all_jobs()


def retention_of(stack: StackRecord) -> float:
    """Return after how many seconds a stack forgets what has ended, 0 if it never does."""
    return float(stack.settings.get("retention", Settings.retention))


def _unfinished(jobs: Iterable[JobRow], seconds: float) -> str:
    left = [job.job_id for job in jobs if job.state in OPEN_STATES]
    if not left:
        return ""
    return (
        f"jobs that were still queued or running {seconds:g} s after the load: {len(left)}, the "
        f"first is {left[0]}"
    )
