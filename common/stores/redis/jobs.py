"""The job owner over Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common.domain import lifecycle
from common.domain.errors import (
    InternalError,
    JobNotFound,
    RequestIdReused,
    SubmitWithdrawn,
    TaskQueueError,
)
from common.domain.ids import IdMint
from common.domain.job import MICROSECONDS, Failure, Job, JobState
from common.domain.paging import JobQuery
from common.owners.jobs import REMEMBERED
from common.ports import Clock, JobObserver, NewJob, Transition
from common.stores.redis.connection import Connection

TABLE = ",".join(
    f"{source:d}{target:d}"
    for source, target in sorted(
        (source, target) for source, target in lifecycle.ALLOWED if source is not None
    )
)
"""The steps of the lifecycle table as the script reads them."""
REMEMBERED_FOR = int(REMEMBERED * MICROSECONDS)
"""How long a submit is remembered, in microseconds."""


class RedisJobs:
    """The ``Jobs`` port. A script takes a step; the lifecycle says what came of it, and why not."""

    def __init__(
        self,
        connection: Connection,
        mint: IdMint,
        clock: Clock,
        observer: JobObserver,
        retention: float,
    ) -> None:
        self._connection = connection
        self._mint = mint
        self.clock = clock
        self._observer = observer
        self._retention = int(retention * MICROSECONDS)
        self._counts = dict.fromkeys(JobState, 0)

    async def create(self, jobs: Sequence[NewJob]) -> list[Job | TaskQueueError]:
        """Create records in state QUEUED, or find the earlier one of each request id."""
        now = self.clock.now()
        arguments: list[Any] = []
        minted = []
        for new in jobs:
            minted.append(self.mint(new, now))
            arguments += columns(new, minted[-1])
        answers = await self._run("create", now, REMEMBERED_FOR, *arguments)
        return [
            self.created(new, job, answer)
            for new, job, answer in zip(jobs, minted, answers, strict=True)
        ]

    async def get(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Read records; an unknown id gives ``JobNotFound``."""
        answers = await self._run("get", self.clock.now(), *job_ids)
        return [
            JobNotFound(job_id) if answer == b"gone" else _job(job_id, answer)
            for job_id, answer in zip(job_ids, answers, strict=True)
        ]

    async def page(self, query: JobQuery) -> list[Job]:
        """Read up to ``query.limit`` records older than ``query.before``, newest first."""
        state = "" if query.state is None else int(query.state)
        answers = await self._run(
            "page", self.clock.now(), state, query.kind, query.before, query.limit
        )
        return [_job(job_id.decode(), flat) for job_id, flat in answers]

    async def transition(self, steps: Sequence[Transition]) -> list[Job | TaskQueueError]:
        """Take steps of the lifecycle table; rejected ones are reported to the observer."""
        now = self.clock.now()
        arguments: list[Any] = [TABLE]
        for step in steps:
            failure = step.failure
            arguments += (*step.execution, int(step.target), step.worker)
            arguments += (1, failure.reason, failure.message) if failure else (0, "", "")
        answers = await self._run("transition", now, *arguments)
        return [self.taken(step, answer, now) for step, answer in zip(steps, answers, strict=True)]

    async def set_cancel_requested(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Cancel queued jobs and mark running ones; terminal ones stay as they are."""
        now = self.clock.now()
        answers = await self._run("cancel", now, *job_ids)
        canceled: list[Job | TaskQueueError] = []
        for job_id, answer in zip(job_ids, answers, strict=True):
            if answer == b"gone":
                canceled.append(JobNotFound(job_id))
                continue
            before = _job(job_id, answer)
            after = lifecycle.request_cancel(before, now)
            if after is not before:
                self._observer.transitioned(before, after)
            canceled.append(after)
        return canceled

    async def withdraw(self, submit_id: str, job_id: str = "") -> Job | TaskQueueError | None:
        """Forget the job of a submit unless another submit relies on it or it runs already."""
        now = self.clock.now()
        answer = await self._run("withdraw", now, REMEMBERED_FOR, submit_id, job_id)
        return _forgotten(job_id, answer, now) if job_id else None

    async def forget(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Forget jobs that wait, whichever submits rely on them."""
        now = self.clock.now()
        answers = await self._run("forget", now, *job_ids)
        return [
            _forgotten(job_id, answer, now) for job_id, answer in zip(job_ids, answers, strict=True)
        ]

    async def sample(self) -> None:
        """Count the jobs in each state."""
        counts = await self._run("count", self.clock.now())
        self._counts = {state: int(counts[state - 1]) for state in JobState}

    def counts(self) -> Mapping[JobState, int]:
        """Number of jobs in each state, as of the last sample."""
        return self._counts

    def pause(self) -> None:
        """Report nothing of what is sampled until the next sample: another process does."""
        self._counts = dict.fromkeys(JobState, 0)

    async def _run(self, script: str, now: int, *arguments: Any) -> Any:
        return await self._connection.run(script, now, self._retention, *arguments)

    def mint(self, new: NewJob, now: int) -> Job:
        """Return a new record with an id of its own."""
        job_id = self._mint.next(now)
        # The time in the id, which is later by what it takes to be unique: so ids sort by it.
        return Job(job_id, new.kind, JobState.QUEUED, self._mint.latest)

    def created(self, new: NewJob, minted: Job, answer: Any) -> Job | TaskQueueError:
        """Return what came of a record that was to be made."""
        if answer == b"made":
            self._observer.transitioned(None, minted)
            return minted
        if answer == b"withdrawn":
            return SubmitWithdrawn(f"submit {new.submit_id}")
        if answer == b"reused":
            return RequestIdReused(new.request_id)
        job_id = answer[0].decode()
        return JobNotFound(job_id) if answer[1] == b"gone" else _job(job_id, answer[1])

    def taken(self, step: Transition, answer: Any, now: int) -> Job | TaskQueueError:
        """Return what came of a step, from the record before it and whether it was taken."""
        job_id, attempt = step.execution
        if answer == b"gone":
            return JobNotFound(job_id)
        taken, before = answer[0] == 1, _job(job_id, answer[1])
        try:
            if step.target is JobState.RUNNING:
                after = lifecycle.start(before, attempt, step.worker, now)
            else:
                after = lifecycle.finish(before, attempt, step.target, step.failure, now)
        except TaskQueueError as error:
            if taken:
                return InternalError(f"job {job_id}: a step was taken that is none: {error}")
            self._observer.rejected(error)
            return error
        if taken != (after is not before):
            return InternalError(f"job {job_id}: step to {step.target.name} was not taken")
        if taken:
            self._observer.transitioned(before, after)
        return after


def columns(new: NewJob, minted: Job) -> tuple[str | bytes | int, ...]:
    """Return a record to make as scripts take it."""
    return (
        minted.id,
        minted.create_time,
        new.kind,
        new.request_id,
        new.digest,
        new.submit_id,
    )


def _forgotten(job_id: str, answer: Any, now: int) -> Job | TaskQueueError:
    if answer == b"gone":
        return JobNotFound(job_id)
    job = _job(job_id, answer[1])
    return lifecycle.request_cancel(job, now) if answer[0] == 1 else job


def _job(job_id: str, flat: Sequence[bytes]) -> Job:
    """Read a record from fields and values in turn."""
    each = iter(flat)
    fields = dict(zip(each, each, strict=True))
    start, finish = fields.get(b"start"), fields.get(b"finish")
    reason = fields.get(b"reason")
    return Job(
        job_id,
        fields[b"kind"].decode(),
        JobState(int(fields[b"state"])),
        int(fields[b"create"]),
        int(fields.get(b"attempt", 0)),
        None if start is None else int(start),
        None if finish is None else int(finish),
        fields.get(b"worker", b"").decode(),
        None if reason is None else Failure(reason.decode(), fields[b"message"].decode()),
        b"cancel" in fields,
    )
