"""The job owner over PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.domain import lifecycle
from common.domain.errors import (
    InternalError,
    JobNotFound,
    StaleAttempt,
    TaskQueueError,
    TransitionRejected,
)
from common.domain.ids import IdMint
from common.domain.job import MICROSECONDS, Job, JobState
from common.domain.paging import JobQuery
from common.owners.jobs import REMEMBERED
from common.ports import Clock, JobObserver, NewJob, Transition
from common.stores.postgres import statements
from common.stores.postgres.connection import Connection
from common.stores.postgres.marks import LowMark
from common.stores.postgres.members import Members, of_state
from common.stores.postgres.records import before_of, job_of, runs, text, uncanceled
from common.stores.postgres.submits import Submits
from common.stores.postgres.sweeping import BATCH, sweep

_NEWEST = "~"  # above every id
_EVER = -1 << 62
_TRIES = 5
_NOBODY = dict.fromkeys(JobState, 0)


class PostgresJobs:
    """The ``Jobs`` port.

    A statement takes steps where the lifecycle has them. Of one that was not taken the lifecycle
    says why, from the record as it is then.
    """

    def __init__(
        self,
        connection: Connection,
        members: Members,
        mint: IdMint,
        clock: Clock,
        observer: JobObserver,
        retention: float,
    ) -> None:
        self._connection = connection
        self._members = members
        self.clock = clock
        self._observer = observer
        self._retention = int(retention * MICROSECONDS)
        self.submits = Submits(connection, mint, clock, self.over)
        self._low = LowMark(0)
        self._remembered_until = 0.0
        members.count_with(self._count)

    async def create(self, jobs: Sequence[NewJob]) -> list[Job | TaskQueueError]:
        """Create records in state QUEUED, or find the earlier one of each request id."""
        answers: dict[int, tuple[Job | TaskQueueError, bool]] = {}
        for some in runs(list(enumerate(jobs)), lambda each: keys_of(each[1])):
            found = await self.submits.create([new for _, new in some])
            answers.update(zip((place for place, _ in some), found, strict=True))
        for place in range(len(jobs)):
            job, is_made = answers[place]
            if is_made and isinstance(job, Job):
                self.moved(None, job)
        return [answers[place][0] for place in range(len(jobs))]

    async def get(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Read records; an unknown id gives ``JobNotFound``."""
        found = await self._read(job_ids)
        return [found.get(job_id) or JobNotFound(job_id) for job_id in job_ids]

    async def page(self, query: JobQuery) -> list[Job]:
        """Read up to ``query.limit`` records older than ``query.before``, newest first."""
        states = [query.state] if query.state is not None else list(JobState)
        before = query.before or _NEWEST
        arguments = (states, query.kind, before, query.limit, self.over())
        return [
            job_of(row) for row in await self._connection.rows("list", statements.PAGE, *arguments)
        ]

    async def transition(self, steps: Sequence[Transition]) -> list[Job | TaskQueueError]:
        """Take steps of the lifecycle table; rejected ones are reported to the observer."""
        outcomes: dict[int, Outcome] = {}
        for some in runs(list(enumerate(steps)), lambda each: [each[1].execution.job_id]):
            taken = await self._transition({step.execution.job_id: step for _, step in some})
            outcomes.update((place, taken[step.execution.job_id]) for place, step in some)
        return [self._observed(outcomes[place]) for place in range(len(steps))]

    async def set_cancel_requested(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Cancel queued jobs and mark running ones; terminal ones stay as they are."""

        async def ask(left: Sequence[str], now: int) -> Iterator[Outcome]:
            rows = await self._connection.rows("cancel", statements.CANCEL, left, now)
            return (Outcome(job, uncanceled(job)) for job in map(job_of, rows))

        outcomes = await self._stepped(job_ids, ask, lifecycle.request_cancel)
        for job_id in dict.fromkeys(job_ids):
            self._observed(outcomes[job_id])
        return [outcomes[job_id].answer for job_id in job_ids]

    async def withdraw(self, submit_id: str, job_id: str = "") -> Job | TaskQueueError | None:
        """Forget the job of a submit unless another submit relies on it or it runs already."""
        unanswered = not job_id
        job_id = job_id or await self.submits.withdrawn(submit_id)
        if not job_id:
            return None
        forgotten = await self.submits.withdraw(submit_id, job_id)
        if forgotten is not None:
            self._members.add(of_state(JobState.QUEUED), -1)
        if unanswered:
            return None
        return forgotten or (await self.get([job_id]))[0]

    async def forget(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Forget jobs that wait, whichever submits rely on them."""
        found: dict[str, Job] = await self.submits.forget(job_ids)
        self._members.add(of_state(JobState.QUEUED), -len(found))
        forgotten = set(found)
        if left := [job_id for job_id in job_ids if job_id not in found]:
            found.update(await self._read(left))
        answers: list[Job | TaskQueueError] = []
        for job_id in job_ids:
            answers.append(found.get(job_id) or JobNotFound(job_id))
            if job_id in forgotten:
                found.pop(job_id, None)
        return answers

    async def sample(self) -> None:
        """Read the numbers of all who share the store, and delete what is forgotten."""
        await self._members.meet()
        await self.sweep()

    async def sweep(self) -> None:
        """Delete what is forgotten, if this process does that for all."""
        if not self._members.leads:
            return
        if self._retention:
            for row in await sweep(self._connection, statements.SWEEP, self.over(), self._low):
                self._members.add(of_state(JobState(row["state"])), -row["number"])
        if time.monotonic() > self._remembered_until:
            self._remembered_until = time.monotonic() + REMEMBERED / 2
            before = self.clock.now() - int(REMEMBERED * MICROSECONDS)
            await self._connection.rows("sweep", statements.SWEEP_WITHDRAWN, before, BATCH)

    def counts(self) -> Mapping[JobState, int]:
        """Number of jobs in each state; nothing where another process reports them."""
        if not self._members.leads:
            return _NOBODY
        return {state: self._members.total(of_state(state)) for state in JobState}

    def over(self) -> int:
        """Return the end at which a job is forgotten by now."""
        return self.clock.now() - self._retention if self._retention else _EVER

    async def _read(self, job_ids: Sequence[str]) -> dict[str, Job]:
        rows = await self._connection.rows("get", statements.GET, list(job_ids), self.over())
        return {row["id"]: job_of(row) for row in rows}

    async def _count(self) -> Mapping[int, int]:
        rows = await self._connection.rows("count", statements.COUNT)
        return {of_state(JobState(row["state"])): row["number"] for row in rows}

    async def _transition(self, steps: Mapping[str, Transition]) -> dict[str, Outcome]:
        async def ask(left: Sequence[str], now: int) -> Iterator[Outcome]:
            rows = await self._take([steps[job_id] for job_id in left], now)
            return (Outcome(job_of(row), before_of(row)) for row in rows)

        def judge(job: Job, now: int) -> Job:
            step = steps[job.id]
            if step.target is JobState.RUNNING:
                return lifecycle.start(job, step.execution.attempt, step.worker, now)
            attempt = step.execution.attempt
            return lifecycle.finish(job, attempt, step.target, step.failure, now)

        return await self._stepped(list(steps), ask, judge)

    async def _take(self, steps: Sequence[Transition], now: int) -> list[Any]:
        failures = [step.failure for step in steps]
        return await self._connection.rows(
            "transition",
            statements.TRANSITION,
            [step.execution.job_id for step in steps],
            [step.execution.attempt for step in steps],
            [step.target for step in steps],
            [text(step.worker) for step in steps],
            [failure and text(failure.reason) for failure in failures],
            [failure and text(failure.message) for failure in failures],
            now,
        )

    async def _stepped(
        self,
        job_ids: Sequence[str],
        ask: Callable[[Sequence[str], int], Awaitable[Iterator[Outcome]]],
        judge: Callable[[Job, int], Job],
    ) -> dict[str, Outcome]:
        """Return what came of a step of each job, taken by ``ask`` where it is allowed."""
        outcomes: dict[str, Outcome] = {}
        left = sorted(set(job_ids))
        for _ in range(_TRIES):
            now = self.clock.now()
            outcomes.update((each.answer.id, each) for each in await ask(left, now))  # type: ignore[union-attr]
            if left := [job_id for job_id in left if job_id not in outcomes]:
                records = await self._read(left)
                judged = {
                    job_id: _judged(records.get(job_id), job_id, now, judge) for job_id in left
                }
                outcomes.update((job_id, Outcome(each)) for job_id, each in judged.items() if each)
                left = [job_id for job_id in left if job_id not in outcomes]
            if not left:
                return outcomes
        wrong = (InternalError(f"job {job_id} did not take its step") for job_id in left)
        return {**outcomes, **dict(zip(left, map(Outcome, wrong), strict=True))}

    def _observed(self, outcome: Outcome) -> Job | TaskQueueError:
        """Return what came of a step, once that is reported."""
        answer = outcome.answer
        if isinstance(answer, Job):
            if outcome.before is not None:
                self.moved(outcome.before, answer)
        elif isinstance(answer, TransitionRejected | StaleAttempt):
            self._observer.rejected(answer)
        return answer

    def moved(self, before: Job | None, after: Job) -> None:
        """Note that a job was made, or took a step."""
        if before is not None:
            self._members.add(of_state(before.state), -1)
        self._members.add(of_state(after.state))
        self._observer.transitioned(before, after)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step; ``before`` is what the record was before one that was taken."""

    answer: Job | TaskQueueError
    before: Job | None = None


def _judged(
    job: Job | None, job_id: str, now: int, judge: Callable[[Job, int], Job]
) -> Job | TaskQueueError | None:
    """Return why a step was not taken; ``None`` if it may be taken by now."""
    if job is None:
        return JobNotFound(job_id)
    try:
        after = judge(job, now)
    except TaskQueueError as error:
        return error
    return job if after is job else None


def keys_of(new: NewJob) -> list[str]:
    """What may be only once in a statement."""
    return [f"{name}{key}" for name, key in (("r", new.request_id), ("s", new.submit_id)) if key]
