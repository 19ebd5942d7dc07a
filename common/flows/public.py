"""The public contract over the owners' ports: what a gateway is, and a node for its own jobs."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Awaitable

from common import context
from common.domain import paging
from common.domain.errors import (
    InvalidArgument,
    JobNotFinished,
    JobNotFound,
    PayloadTooLarge,
    SubmitWithdrawn,
    TaskQueueError,
)
from common.domain.job import (
    MAX_PAYLOAD_BYTES,
    MAX_REQUEST_ID_BYTES,
    Execution,
    Job,
    JobResult,
    JobSpec,
    JobState,
)
from common.domain.paging import JobPage
from common.flows.background import Background
from common.flows.batch import only, only_success
from common.ports import Jobs, Kinds, NewEntry, NewJob, Queue, Results, SharedState, Submission


def check_submission(spec: JobSpec, request_id: str, kinds: Kinds) -> None:
    """Raise ``InvalidArgument``, naming the field, unless the job can be accepted."""
    if not spec.kind:
        raise InvalidArgument("job.kind", "must not be empty")
    if len(spec.payload) > MAX_PAYLOAD_BYTES:
        size = len(spec.payload)
        raise PayloadTooLarge("job.payload", f"{size} bytes are more than {MAX_PAYLOAD_BYTES}")
    if spec.execution_timeout is not None and spec.execution_timeout <= 0:
        raise InvalidArgument("job.execution_timeout", "must be positive")
    if len(request_id.encode()) > MAX_REQUEST_ID_BYTES:
        raise InvalidArgument("request_id", f"is longer than {MAX_REQUEST_ID_BYTES} bytes")
    kinds.check(spec)


class OwnedTaskQueue:
    """Implements the ``TaskQueue`` port over the owners of jobs, queue and results.

    Where those share their state, ``shared`` accepts a job in one step.
    """

    def __init__(
        self,
        jobs: Jobs,
        queue: Queue,
        results: Results,
        background: Background,
        shared: SharedState | None = None,
    ) -> None:
        self._shared = shared
        self._jobs = jobs
        self._queue = queue
        self._results = results
        self._background = background

    async def submit(self, spec: JobSpec, request_id: str = "") -> str:
        """Accept a checked job and return its id.

        Once begun it is finished, even if the client goes away: a record without an entry would
        wait for ever.
        """
        return await self._background.finish(self._accept(spec, request_id))

    async def _accept(self, spec: JobSpec, request_id: str) -> str:
        """Create the record and enqueue it; accepted only once both have succeeded.

        A repeat of a ``request_id`` enqueues the first job once more, which changes nothing if that
        succeeded the first time and mends it if it did not. If either step fails, the submit is
        withdrawn, so that no job waits for ever that nobody was promised. A withdrawal that fails,
        and a process that ends here, leave a record that
        :class:`~common.flows.leftovers.Leftovers` finds.
        """
        submit_id = secrets.token_hex(8)
        digest = spec.digest() if request_id else b""
        new = NewJob(spec.kind, request_id, digest, submit_id)
        if self._shared is not None:
            submission = Submission(new, spec, context.correlation_id())
            return (await self._created(self._shared.accept([submission]), new)).id
        job = await self._created(self._jobs.create([new]), new)
        if job.state is JobState.QUEUED:
            await self._enqueue(NewEntry(job.id, spec, context.correlation_id()), submit_id)
        return job.id

    async def _created(self, answers: Awaitable[list[Job | TaskQueueError]], new: NewJob) -> Job:
        try:
            return await only_success(answers)
        except TaskQueueError as error:
            if not error.definite:
                # Nobody knows whether it made a record, and which.
                withdrawal = self._withdraw(new.submit_id)
                self._background.start(withdrawal, f"withdraw submit {new.submit_id}")
            raise

    async def _enqueue(self, entry: NewEntry, submit_id: str) -> None:
        try:
            refusal = await only(self._queue.enqueue([entry]))
            if refusal is not None:
                raise refusal
        except TaskQueueError as error:
            if isinstance(error, SubmitWithdrawn):
                # A job that the queue keeps out is no other submit's either.
                withdrawal = self._forget(entry.job_id)
            else:
                withdrawal = self._withdraw(submit_id, entry.job_id)
            if error.definite:
                # The answer says that nothing happened: see to it first, also when time is over.
                await self._background.finish(withdrawal)
            else:
                self._background.start(withdrawal, f"withdraw {entry.job_id}")
            raise

    async def _withdraw(self, submit_id: str, job_id: str = "") -> None:
        """Take back a submit whose creation or enqueue failed."""
        record = await self._jobs.withdraw(submit_id, job_id)
        if record is not None:
            await self._remove_withdrawn(job_id, record)

    async def _forget(self, job_id: str) -> None:
        await self._remove_withdrawn(job_id, await only(self._jobs.forget([job_id])))

    async def _remove_withdrawn(self, job_id: str, record: Job | TaskQueueError) -> None:
        """Remove the entry of a job that is forgotten, which may exist after all."""
        if isinstance(record, TaskQueueError) and not isinstance(record, JobNotFound):
            raise record
        if isinstance(record, JobNotFound) or record.state is JobState.CANCELED:
            await self._queue.remove([job_id])

    async def status(self, job_id: str) -> Job:
        return await only_success(self._jobs.get([job_id]))

    async def result(self, job_id: str) -> JobResult:
        """Return what the terminal job produced; the output is that of the attempt that won."""
        job = await self.status(job_id)
        if not job.state.terminal:
            raise JobNotFinished(job_id, job.state.name)
        if job.state is not JobState.DONE:
            return JobResult(job.state, failure=job.failure)
        output = await only_success(self._results.get([Execution(job_id, job.attempt)]))
        return JobResult(job.state, output)

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job as far as its state allows and return its record.

        The job owner decides in one step: a queued job is CANCELED when this returns, whatever
        becomes of its queue entry, for a coordinator that leases it meanwhile is refused the start.
        A running job is canceled through the heartbeat of its worker.
        """
        job = await only_success(self._jobs.set_cancel_requested([job_id]))
        if job.state is JobState.CANCELED:
            self._background.start(self._remove(job_id), f"remove canceled {job_id} from the queue")
        return job

    async def _remove(self, job_id: str) -> None:
        await self._queue.remove([job_id])

    async def list_jobs(
        self, state: JobState | None, kind: str, page_size: int, page_token: str
    ) -> JobPage:
        query = paging.open_query(state, kind, page_size, page_token)
        newest = await self._jobs.page(dataclasses.replace(query, limit=query.limit + 1))
        return paging.close_page(query, newest)
