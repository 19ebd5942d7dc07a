"""A queue that looks in a cache before it answers how a job stands, and what came of it."""

from __future__ import annotations

import struct
from typing import Protocol, TypeVar

from google.protobuf.message import DecodeError

from common import context
from common.cache.answers import RESULT, STATUS, Answer
from common.cache.keeping import Keeping
from common.domain import ids
from common.domain.errors import TaskQueueError
from common.domain.job import Job, JobResult, JobSpec, JobState
from common.domain.paging import JobPage
from common.ports import TaskQueue
from common.rpc.callers import NODE

T = TypeVar("T")


class Cache(Protocol):
    """Where answers are kept. It never raises, and keeps nothing for certain."""

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a key."""
        ...

    def put(self, key: str, value: bytes, milliseconds: int) -> None:
        """Keep something for so long; this does not wait for it."""
        ...


class Observer(Protocol):
    """Observes what came of looking in the cache, for metrics."""

    def looked(self, answer: str, *, hit: bool) -> None:
        """An answer of that name was found, or was not."""
        ...

    def failed(self, kind: str) -> None:
        """The cache failed in some way."""
        ...


class CachedTaskQueue:
    """The ``TaskQueue`` port over another, whose terminal answers are kept in a cache.

    What is not there is asked of ``queue``, and so is all that another node forwards: that node
    has looked.
    """

    def __init__(
        self, queue: TaskQueue, cache: Cache, keeping: Keeping, observer: Observer
    ) -> None:
        self._queue = queue
        self._cache = cache
        self._keeping = keeping
        self._observer = observer

    async def submit(self, spec: JobSpec, request_id: str = "") -> str:
        """Accept a job, as the queue does."""
        return await self._queue.submit(spec, request_id)

    async def status(self, job_id: str) -> Job:
        """Return the job's record."""
        if context.caller() == NODE:
            return await self._queue.status(job_id)
        if (kept := await self._kept(STATUS, job_id)) is not None:
            return kept
        job = await self._queue.status(job_id)
        if job.state.terminal and job.finish_time is not None:
            self._keep(STATUS, job_id, job, job.finish_time)
        return job

    async def result(self, job_id: str) -> JobResult:
        """Return what the terminal job produced."""
        if context.caller() == NODE:
            return await self._queue.result(job_id)
        if (kept := await self._kept(RESULT, job_id)) is not None:
            return kept
        result = await self._queue.result(job_id)
        ended = await self._ended(job_id)
        if ended is not None:
            self._keep(RESULT, job_id, result, ended)
        return result

    async def cancel(self, job_id: str) -> Job:
        """Cancel the job, as the queue does."""
        return await self._queue.cancel(job_id)

    async def list_jobs(
        self, state: JobState | None, kind: str, page_size: int, page_token: str
    ) -> JobPage:
        """Return one page of jobs, as the queue does."""
        return await self._queue.list_jobs(state, kind, page_size, page_token)

    async def _ended(self, job_id: str) -> int | None:
        """Return when a terminal job ended, or a moment before; ``None`` if it is too young.

        A result does not say it. The id has when the job was accepted, which will do unless it
        matters how long ago the end was.
        """
        accepted = ids.parse(job_id).time
        if not self._keeping.settles:
            return accepted
        if not self._keeping.is_settled(accepted):
            return None
        try:
            return (await self.status(job_id)).finish_time
        except TaskQueueError:
            return None

    async def _kept(self, answer: Answer[T], job_id: str) -> T | None:
        value = await self._cache.get(answer.key(job_id))
        found = None
        try:
            if value is not None and (message := self._keeping.unpacked(value)) is not None:
                found = answer.read(message)
        except (struct.error, DecodeError, ValueError, KeyError):
            self._observer.failed("unreadable")
        self._observer.looked(answer.name, hit=found is not None)
        return found

    def _keep(self, answer: Answer[T], job_id: str, value: T, ended: int) -> None:
        packed, milliseconds = self._keeping.packed(answer.write(value), ended)
        if milliseconds:
            self._cache.put(answer.key(job_id), packed, milliseconds)
