"""Submit: check, create the record, enqueue; accepted only once all three have succeeded."""

from __future__ import annotations

import secrets

from common import context
from common.domain.errors import InvalidArgument, PayloadTooLarge, TaskQueueError
from common.domain.job import MAX_PAYLOAD_BYTES, MAX_REQUEST_ID_BYTES, Job, JobSpec, JobState
from common.flows.background import Background
from common.flows.batch import only, only_success
from common.ports import CancelReason, Jobs, Kinds, NewEntry, NewJob, Queue


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
    succeeded the first time and mends it if it did not. If the enqueue fails, the record is
    withdrawn, so that no job waits for ever that nobody was promised.
    """
    digest = spec.digest() if request_id else b""
    submit_id = secrets.token_hex(8)
    job = await only_success(jobs.create([NewJob(spec.kind, request_id, digest, submit_id)]))
    if job.state is not JobState.QUEUED:
        return job.id
    entry = NewEntry(job.id, spec, context.correlation_id())
    try:
        error = await only(queue.enqueue([entry]))
        if error is not None:
            raise error
    except TaskQueueError as error:
        if error.definite:
            # The answer says that nothing happened: see to it first.
            await _withdraw(job, submit_id, jobs, queue)
        else:
            background.start(_withdraw(job, submit_id, jobs, queue), f"withdraw {job.id}")
        raise
    return job.id


async def _withdraw(job: Job, submit_id: str, jobs: Jobs, queue: Queue) -> None:
    """Cancel a record whose enqueue failed, then its entry, which may exist after all."""
    after = await only_success(
        jobs.set_cancel_requested([job.id], CancelReason.SUBMIT_WITHDRAWN, submit_id)
    )
    if after.state is JobState.CANCELED:
        await queue.remove([job.id])
