"""The job owner: sole writer of job metadata and state.

Creating, reading and moving a job costs O(log n) in the number of jobs; a page of the list costs
O(page + log n) with any filters, because the index keeps one sorted list for each kind and state
and a query merges the few that match.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sortedcontainers import SortedList

from common.domain import lifecycle
from common.domain.errors import JobNotFound, RequestIdReused, SubmitWithdrawn, TaskQueueError
from common.domain.ids import IdMint
from common.domain.job import MICROSECONDS, Job, JobState
from common.domain.paging import JobQuery
from common.owners.recent import Recent
from common.ports import Clock, JobObserver, NewJob, Transition

# Seconds for which a submit is remembered: hardly a message of one is under way for longer, for a
# submit has five seconds. What one leaves behind that is, is found as what a dead gateway leaves.
REMEMBERED = 20.0
_WITHDRAWN = ""


@dataclass(slots=True)
class _Request:
    """What is known of a request id; ``dependents`` are the submits that rely on its job."""

    digest: bytes
    job_id: str
    dependents: set[str]


class JobOwner:
    """Holds all records. ``mint`` makes the ids, ``clock`` all times, ``observer`` gets steps.

    A terminal job is forgotten ``retention`` seconds after its end, with 0 never.
    """

    def __init__(
        self, mint: IdMint, clock: Clock, observer: JobObserver, retention: float = 0
    ) -> None:
        self._mint = mint
        self._clock = clock
        self._observer = observer
        self._jobs: dict[str, Job] = {}
        self._index = _Index()
        self._requests: dict[str, _Request] = {}
        self._request_of: dict[str, str] = {}
        # The jobs of the submits of the last seconds, for a message that arrives once more.
        self._submits: Recent[str] = Recent(clock, REMEMBERED)
        self._retention = int(retention * MICROSECONDS)
        self._ended: deque[Job] = deque()

    async def create(self, jobs: Sequence[NewJob]) -> list[Job | TaskQueueError]:
        """Create records in state QUEUED, or find the earlier one of each request id.

        A submit that is met again finds its own record, or ``JobNotFound`` if that was withdrawn;
        one that was withdrawn before it came gets ``SubmitWithdrawn``.
        """
        self._forget_ended()
        return [self._create(new) for new in jobs]

    async def get(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Read records; an unknown id gives ``JobNotFound``."""
        self._forget_ended()
        return [self._jobs.get(job_id) or JobNotFound(job_id) for job_id in job_ids]

    async def page(self, query: JobQuery) -> list[Job]:
        """Read up to ``query.limit`` records older than ``query.before``, newest first."""
        self._forget_ended()
        newest = self._index.newest(query.state, query.kind, query.before)
        return [self._jobs[job_id] for _, job_id in zip(range(query.limit), newest, strict=False)]

    async def transition(self, steps: Sequence[Transition]) -> list[Job | TaskQueueError]:
        """Take steps of the lifecycle table; rejected ones are reported to the observer."""
        self._forget_ended()
        return [self._transition(step) for step in steps]

    async def set_cancel_requested(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        self._forget_ended()
        return [self._cancel(job_id) for job_id in job_ids]

    async def withdraw(self, submit_id: str, job_id: str = "") -> Job | TaskQueueError | None:
        """Forget the job of a submit unless another submit relies on it or it runs already."""
        self._forget_ended()
        if not job_id:
            self._withdraw_unanswered(submit_id)
            return None
        job = self._jobs.get(job_id)
        if job is None:
            return JobNotFound(job_id)
        return self._canceled(job) if self._withdraw(job, submit_id) else job

    async def forget(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Forget jobs that wait, whichever submits rely on them."""
        self._forget_ended()
        return [self._forget_waiting(job_id) for job_id in job_ids]

    def knows_request(self, request_id: str) -> bool:
        """Return whether there is a job that was submitted under this request id."""
        self._forget_ended()
        return request_id in self._requests

    async def sample(self) -> None:
        """Do nothing: the numbers are at hand."""

    def counts(self) -> dict[JobState, int]:
        """Number of jobs in each state."""
        self._forget_ended()
        return self._index.counts()

    def _create(self, new: NewJob) -> Job | TaskQueueError:
        met = self._submits.get(new.submit_id)
        if met == _WITHDRAWN:
            return SubmitWithdrawn(f"submit {new.submit_id}")
        if met is not None:
            return self._jobs.get(met) or JobNotFound(met)
        known = self._requests.get(new.request_id) if new.request_id else None
        if known is not None:
            if known.digest != new.digest:
                return RequestIdReused(new.request_id)
            known.dependents.add(new.submit_id)
            self._submits.note(new.submit_id, known.job_id)
            return self._jobs[known.job_id]
        now = self._clock.now()
        job_id = self._mint.next(now)
        # The time in the id, which is later by what it takes to be unique: so ids sort by it.
        job = Job(job_id, new.kind, JobState.QUEUED, self._mint.latest)
        self._submits.note(new.submit_id, job.id)
        if new.request_id:
            self._requests[new.request_id] = _Request(new.digest, job.id, {new.submit_id})
            self._request_of[job.id] = new.request_id
        self._write(None, job)
        return job

    def _transition(self, step: Transition) -> Job | TaskQueueError:
        job_id, attempt = step.execution
        job = self._jobs.get(job_id)
        if job is None:
            return JobNotFound(job_id)
        now = self._clock.now()
        try:
            if step.target is JobState.RUNNING:
                after = lifecycle.start(job, attempt, step.worker, now)
            else:
                after = lifecycle.finish(job, attempt, step.target, step.failure, now)
        except TaskQueueError as error:
            self._observer.rejected(error)
            return error
        self._write(job, after)
        return after

    def _cancel(self, job_id: str) -> Job | TaskQueueError:
        job = self._jobs.get(job_id)
        if job is None:
            return JobNotFound(job_id)
        after = self._canceled(job)
        self._write(job, after)
        return after

    def _canceled(self, job: Job) -> Job:
        return lifecycle.request_cancel(job, self._clock.now())

    def _withdraw_unanswered(self, submit_id: str) -> None:
        job = self._jobs.get(self._submits.get(submit_id) or "")
        if job is None:
            self._submits.note(submit_id, _WITHDRAWN)
        else:
            self._withdraw(job, submit_id)

    def _withdraw(self, job: Job, submit_id: str) -> bool:
        """Forget a job that waits and on which no other submit relies; returns whether it did."""
        request_id = self._request_of.get(job.id)
        if request_id is not None:
            request = self._requests[request_id]
            request.dependents.discard(submit_id)
            if request.dependents:
                return False
        return self._forget(job)

    def _forget_waiting(self, job_id: str) -> Job | TaskQueueError:
        job = self._jobs.get(job_id)
        if job is None:
            return JobNotFound(job_id)
        return self._canceled(job) if self._forget(job) else job

    def _forget(self, job: Job) -> bool:
        """Forget a job that waits, and its request id; returns whether it did."""
        if job.state is not JobState.QUEUED:
            return False
        self._drop(job)
        return True

    def _forget_ended(self) -> None:
        """Forget the jobs whose time is over; costs nothing while there is no retention."""
        if not self._ended:
            return
        latest = self._clock.now() - self._retention
        while self._ended and (self._ended[0].finish_time or 0) <= latest:
            self._drop(self._ended.popleft())

    def _drop(self, job: Job) -> None:
        request_id = self._request_of.pop(job.id, None)
        if request_id is not None:
            del self._requests[request_id]
        del self._jobs[job.id]
        self._index.drop(job)

    def _write(self, before: Job | None, after: Job) -> None:
        if after is before:
            return
        self._jobs[after.id] = after
        if before is None or before.state is not after.state:
            self._index.move(before, after)
            if self._retention and after.state.terminal:
                self._ended.append(after)
        self._observer.transitioned(before, after)


class _Index:
    """The ids of all jobs, sorted, by kind and state."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, JobState], SortedList] = {}

    def move(self, before: Job | None, after: Job) -> None:
        """File a new job, or one whose state has changed."""
        if before is not None:
            self.drop(before)
        place = (after.kind, after.state)
        if place not in self._ids:
            self._ids[place] = SortedList()
        self._ids[place].add(after.id)

    def drop(self, job: Job) -> None:
        """Take a job out."""
        self._ids[job.kind, job.state].remove(job.id)

    def newest(self, state: JobState | None, kind: str, before: str) -> Iterator[str]:
        """Iterate over the matching ids lower than ``before``, highest first."""
        matching: list[Iterable[str]] = [
            some.irange(maximum=before or None, inclusive=(True, False), reverse=True)
            for (its_kind, its_state), some in self._ids.items()
            if (not kind or its_kind == kind) and (state is None or its_state is state)
        ]
        return iter(heapq.merge(*matching, reverse=True))

    def counts(self) -> dict[JobState, int]:
        """Number of ids in each state."""
        totals = dict.fromkeys(JobState, 0)
        for (_, state), some in self._ids.items():
            totals[state] += len(some)
        return totals
