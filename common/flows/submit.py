"""Submit: check, create the record, enqueue; accepted only once all three have succeeded."""

from __future__ import annotations

import secrets

from common import context
from common.domain.errors import (
    InvalidArgument,
    JobNotFound,
    PayloadTooLarge,
    SubmitWithdrawn,
    TaskQueueError,
)
from common.domain.job import MAX_PAYLOAD_BYTES, MAX_REQUEST_ID_BYTES, Job, JobSpec, JobState
from common.flows.background import Background
from common.flows.batch import only, only_success
from common.ports import Jobs, Kinds, NewEntry, NewJob, Queue


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


async def submit(
    spec: JobSpec, request_id: str, jobs: Jobs, queue: Queue, background: Background
) -> str:
    """Accept a checked job and return its id.

    Once begun it is finished, even if the client goes away: a record without an entry would wait
    for ever.
    """
    return await background.finish(_accept(spec, request_id, jobs, queue, background))


async def _accept(
    spec: JobSpec, request_id: str, jobs: Jobs, queue: Queue, background: Background
) -> str:
    """Create the record and enqueue it.

    A repeat of a ``request_id`` enqueues the first job once more, which changes nothing if that
    succeeded the first time and mends it if it did not. If either step fails, the submit is
    withdrawn, so that no job waits for ever that nobody was promised. A withdrawal that fails, and
    a process that ends here, leave a record that :class:`~common.flows.leftovers.Leftovers` finds.
    """
    submit_id = secrets.token_hex(8)
    digest = spec.digest() if request_id else b""
    new = NewJob(spec.kind, request_id, digest, submit_id)
    job = await _create(new, jobs, background)
    if job.state is JobState.QUEUED:
        entry = NewEntry(job.id, spec, context.correlation_id())
        await _enqueue(entry, submit_id, jobs, queue, background)
    return job.id


async def _create(new: NewJob, jobs: Jobs, background: Background) -> Job:
    try:
        return await only_success(jobs.create([new]))
    except TaskQueueError as error:
        if not error.definite:
            withdrawal = _withdraw_unanswered(new.submit_id, jobs)
            background.start(withdrawal, f"withdraw submit {new.submit_id}")
        raise


async def _enqueue(
    entry: NewEntry, submit_id: str, jobs: Jobs, queue: Queue, background: Background
) -> None:
    try:
        refusal = await only(queue.enqueue([entry]))
        if refusal is not None:
            raise refusal
    except TaskQueueError as error:
        withdrawal = _take_back(entry.job_id, submit_id, error, jobs, queue)
        if error.definite:
            # The answer says that nothing happened: see to it first.
            await withdrawal
        else:
            background.start(withdrawal, f"withdraw {entry.job_id}")
        raise


async def _withdraw_unanswered(submit_id: str, jobs: Jobs) -> None:
    """Withdraw a submit of which nobody knows whether it made a record, and which."""
    await jobs.withdraw(submit_id)


async def _take_back(
    job_id: str, submit_id: str, why: TaskQueueError, jobs: Jobs, queue: Queue
) -> None:
    """Take back a record whose enqueue failed, then its entry, which may exist after all.

    A job that the queue keeps out is no other submit's either.
    """
    after: Job | TaskQueueError | None
    if isinstance(why, SubmitWithdrawn):
        after = await only(jobs.forget([job_id]))
    else:
        after = await jobs.withdraw(submit_id, job_id)
    if isinstance(after, TaskQueueError) and not isinstance(after, JobNotFound):
        raise after
    if isinstance(after, JobNotFound) or (after and after.state is JobState.CANCELED):
        await queue.remove([job_id])
