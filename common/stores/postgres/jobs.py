"""The job owner over PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

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
from common.stores.postgres import statements
from common.stores.postgres.connection import Connection

T = TypeVar("T")

TABLE = sorted(10 * source + target for source, target in lifecycle.ALLOWED if source is not None)
"""The steps of the lifecycle table as the statement reads them."""
SWEPT = 1000
_NEWEST = "~"  # above every id
_EVER = -1 << 62


class PostgresJobs:
    """The ``Jobs`` port.

    A statement takes a step; the lifecycle says what came of it, and why not.
    """

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
        self._clock = clock
        self._observer = observer
        self._retention = int(retention * MICROSECONDS)
        self._kinds: set[str] = set()
        self._counts = dict.fromkeys(JobState, 0)

    async def create(self, jobs: Sequence[NewJob]) -> list[Job | TaskQueueError]:
        """Create records in state QUEUED, or find the earlier one of each request id."""
        await self._know({new.kind for new in jobs})
        answers: dict[int, Job | TaskQueueError] = {}
        for some in _rounds(list(enumerate(jobs)), lambda each: _keys(each[1])):
            news = [new for _, new in some]
            for (place, _), answer in zip(some, await self._create(news), strict=True):
                answers[place] = answer
        return [answers[place] for place in range(len(jobs))]

    async def get(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Read records; an unknown id gives ``JobNotFound``."""
        rows = await self._connection.rows(statements.GET, list(job_ids), self._over())
        found = {row["id"]: _job(row) for row in rows}
        return [found.get(job_id) or JobNotFound(job_id) for job_id in job_ids]

    async def page(self, query: JobQuery) -> list[Job]:
        """Read up to ``query.limit`` records older than ``query.before``, newest first."""
        states = [query.state] if query.state is not None else list(JobState)
        before = query.before or _NEWEST
        rows = await self._connection.rows(
            statements.PAGE, states, query.kind, before, query.limit, self._over()
        )
        return [_job(row) for row in rows]

    async def transition(self, steps: Sequence[Transition]) -> list[Job | TaskQueueError]:
        """Take steps of the lifecycle table; rejected ones are reported to the observer."""
        answers: dict[int, Job | TaskQueueError] = {}
        for some in _rounds(list(enumerate(steps)), lambda each: [each[1].execution.job_id]):
            taken = await self._transition([step for _, step in some])
            for (place, _), answer in zip(some, taken, strict=True):
                answers[place] = answer
        return [answers[place] for place in range(len(steps))]

    async def set_cancel_requested(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Cancel queued jobs and mark running ones; terminal ones stay as they are."""
        now = self._clock.now()
        rows = await self._connection.rows(statements.CANCEL, list(job_ids), self._over(), now)
        canceled: dict[str, Job] = {}
        for row in rows:
            before = _job(row)
            canceled[before.id] = after = lifecycle.request_cancel(before, now)
            if after is not before:
                self._observer.transitioned(before, after)
        return [canceled.get(job_id) or JobNotFound(job_id) for job_id in job_ids]

    async def withdraw(self, submit_id: str, job_id: str = "") -> Job | TaskQueueError | None:
        """Forget the job of a submit unless another submit relies on it or it runs already."""
        if not job_id:
            await self._withdraw_unanswered(submit_id)
            return None
        return await self._withdraw(submit_id, job_id)

    async def forget(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Forget jobs that wait, whichever submits rely on them."""
        now = self._clock.now()
        rows = await self._connection.rows(statements.FORGET, list(job_ids), self._over(), now)
        found = {
            row["id"]: lifecycle.request_cancel(_job(row), now) if row["taken"] else _job(row)
            for row in rows
        }
        return [found.get(job_id) or JobNotFound(job_id) for job_id in job_ids]

    async def sample(self) -> None:
        """Count the jobs in each state, and delete what is forgotten."""
        now = self._clock.now()
        await self._connection.rows(
            statements.SWEEP_WITHDRAWN, now - int(REMEMBERED * MICROSECONDS)
        )
        if self._retention:
            await self._connection.rows(statements.SWEEP, self._over(), SWEPT)
        rows = await self._connection.rows(statements.COUNT, self._over())
        numbers = {row["state"]: row["number"] for row in rows}
        self._counts = {state: numbers.get(state, 0) for state in JobState}

    def counts(self) -> Mapping[JobState, int]:
        """Number of jobs in each state, as of the last sample."""
        return self._counts

    def _over(self) -> int:
        """The end at which a job is forgotten by now."""
        return self._clock.now() - self._retention if self._retention else _EVER

    async def _know(self, kinds: set[str]) -> None:
        if new := sorted(kinds - self._kinds):
            await self._connection.rows(statements.KINDS, new)
            self._kinds.update(new)

    async def _create(self, jobs: Sequence[NewJob]) -> list[Job | TaskQueueError]:
        now = self._clock.now()
        made: list[Job] = []
        for new in jobs:
            job_id = self._mint.next(now)
            made.append(Job(job_id, new.kind, JobState.QUEUED, self._mint.latest))
        rows = await self._connection.rows(
            statements.CREATE,
            [job.id for job in made],
            [job.create_time for job in made],
            [new.kind for new in jobs],
            [new.request_id or None for new in jobs],
            [new.digest for new in jobs],
            [new.submit_id or None for new in jobs],
        )
        found = {row["id"]: row for row in rows}
        answers: list[Job | TaskQueueError] = []
        for new, job in zip(jobs, made, strict=True):
            row = found.get(job.id)
            if row is not None and row["made"]:
                self._observer.transitioned(None, job)
                answers.append(job)
            elif row is None or row["job_id"] == job.id:
                answers.append(await self._met(new))
            else:
                answers.append(await self._known(new))
        return answers

    async def _met(self, new: NewJob) -> Job | TaskQueueError:
        """Return the job of a submit that was met before."""
        rows = await self._connection.rows(statements.BY_SUBMIT, new.submit_id)
        if not rows or rows[0]["state"]:
            return _job(rows[0]) if rows else JobNotFound(f"of submit {new.submit_id}")
        job_id = rows[0]["id"]
        withdrawn_before = job_id.startswith(_NEWEST)
        return (
            SubmitWithdrawn(f"submit {new.submit_id}") if withdrawn_before else JobNotFound(job_id)
        )

    async def _known(self, new: NewJob) -> Job | TaskQueueError:
        """Return the job of a request id that was met before."""
        rows = await self._connection.rows(statements.BY_REQUEST, new.request_id)
        if rows:
            job = (await self.get([rows[0]["job_id"]]))[0]
            if isinstance(job, Job):
                return job if rows[0]["digest"] == new.digest else RequestIdReused(new.request_id)
            # Its time is over, or it was withdrawn meanwhile.
            await self._connection.rows(statements.FREE, new.request_id, rows[0]["job_id"])
        return (await self._create([new]))[0]

    async def _transition(self, steps: Sequence[Transition]) -> list[Job | TaskQueueError]:
        now = self._clock.now()
        failures = [step.failure for step in steps]
        rows = await self._connection.rows(
            statements.TRANSITION,
            [step.execution.job_id for step in steps],
            self._over(),
            [step.execution.attempt for step in steps],
            [step.target for step in steps],
            [step.worker for step in steps],
            [failure and failure.reason for failure in failures],
            [failure and failure.message for failure in failures],
            now,
            TABLE,
        )
        found = {row["id"]: row for row in rows}
        return [self._taken(step, found.get(step.execution.job_id), now) for step in steps]

    def _taken(self, step: Transition, row: Any, now: int) -> Job | TaskQueueError:
        """Return what came of a step, from the record before it and whether it was taken."""
        job_id, attempt = step.execution
        if row is None:
            return JobNotFound(job_id)
        before = _job(row)
        try:
            if step.target is JobState.RUNNING:
                after = lifecycle.start(before, attempt, step.worker, now)
            else:
                after = lifecycle.finish(before, attempt, step.target, step.failure, now)
        except TaskQueueError as error:
            if row["taken"]:
                return InternalError(f"job {job_id}: a step was taken that is none: {error}")
            self._observer.rejected(error)
            return error
        if row["taken"] != (after is not before):
            return InternalError(f"job {job_id}: step to {step.target.name} was not taken")
        if row["taken"]:
            self._observer.transitioned(before, after)
        return after

    async def _withdraw_unanswered(self, submit_id: str) -> None:
        now = self._clock.now()
        if not submit_id or await self._connection.rows(statements.WITHDRAWN, submit_id, now):
            return
        rows = await self._connection.rows(statements.BY_SUBMIT, submit_id)
        if rows and rows[0]["state"]:
            await self._withdraw(submit_id, rows[0]["id"])

    async def _withdraw(self, submit_id: str, job_id: str) -> Job | TaskQueueError:
        if submit_id:
            await self._connection.rows(statements.WITHDRAWN, submit_id, self._clock.now())
        rows = await self._connection.rows(statements.RELY_NO_LONGER, job_id, submit_id)
        if rows and rows[0]["left"]:
            return (await self.get([job_id]))[0]
        return (await self.forget([job_id]))[0]


def _keys(new: NewJob) -> list[str]:
    """What may be only once in a statement."""
    return [f"{name}{key}" for name, key in (("r", new.request_id), ("s", new.submit_id)) if key]


def _rounds(items: Sequence[T], keys_of: Callable[[T], Sequence[str]]) -> Iterator[list[T]]:
    """Split items into rounds in which no key is twice, in order; hardly ever more than one."""
    left = list(items)
    while left:
        seen: set[str] = set()
        some, later = [], []
        for item in left:
            keys = keys_of(item)
            if seen.isdisjoint(keys):
                some.append(item)
            else:
                later.append(item)
            seen.update(keys)
        yield some
        left = later


def _job(row: Any) -> Job:
    reason = row["reason"]
    return Job(
        row["id"],
        row["kind"],
        JobState(row["state"]),
        row["created"],
        row["attempt"],
        row["started"],
        row["finished"],
        row["worker"],
        None if reason is None else Failure(reason, row["message"]),
        row["cancel"],
    )
