"""Random steps over jobs, queue and results at once, taken as their owners in memory do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from common.domain import lifecycle
from common.domain.errors import TaskQueueError
from common.domain.job import Assignment, Execution, Job, JobSpec, JobState, Outcome
from common.ports import NewJob, SharedState, Submission
from common.stores.store import Store
from tests.conformance import machine
from tests.conformance.machine import (
    FAILURES,
    INDEX,
    LIMITS,
    NEW_JOBS,
    PAYLOADS,
    TIMEOUTS,
    UNKNOWN,
    OpenEmpty,
    Side,
    StoreMachine,
    some,
)
from tests.support.shared_owners import SharedOwners

EXAMPLES = {"redis": 80, "postgres": 15}
"""Of each store as many as take ten seconds."""

SUBMISSIONS = st.tuples(NEW_JOBS, PAYLOADS, TIMEOUTS, st.sampled_from(["", "c"]))
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from([JobState.DONE, JobState.DONE, JobState.FAILED, JobState.CANCELED]),
    st.sampled_from([b"", b"\xff1", b"2"]),
    FAILURES,
)
REPORTS = st.lists(st.tuples(INDEX, OUTCOMES), max_size=3, unique_by=lambda report: report[0])
FUTURE = 99
HELD = st.lists(INDEX, max_size=2)
WORKERS = st.sampled_from(["w1", "w2"])


class SharedSide(Side):
    """One whose jobs come and go by steps over all; ``leased`` is what it handed out."""

    state: SharedState

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.leased: list[Execution] = []
        self.state = self.opened()

    def opened(self) -> SharedState:
        state = self.store.shared()
        assert state is not None, "such a store has all three"
        return state

    def execution(self, index: int) -> Execution:
        return self.leased[-1 - index] if index < len(self.leased) else Execution(UNKNOWN, 1)

    async def end(self, reports: Sequence[tuple[Execution, Outcome]]) -> bool:
        """Whether all of these reports end their jobs."""
        jobs = await self.jobs.get([execution.job_id for execution, _ in reports])
        return all(
            isinstance(job, Job) and _ends(job, execution.attempt, outcome)
            for job, (execution, outcome) in zip(jobs, reports, strict=True)
        )

    async def over(self) -> list[str]:
        """Return the ids of all jobs that have ended or were forgotten."""
        jobs = zip(self.ids, await self.jobs.get(self.ids), strict=True)
        return [id_ for id_, job in jobs if not isinstance(job, Job) or job.state.terminal]


class OwnersSide(SharedSide):
    """Owners in memory that take them one after the other."""

    def opened(self) -> SharedState:
        return SharedOwners(self.jobs, self.queue, self.results)


class SharedMachine(StoreMachine):
    """Submits, hands out and ends jobs in steps over all, as the processes of a design do."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count()
        self.submits: list[str] = []

    def sides_of(self, memory: Store, other: Store) -> Sequence[SharedSide]:
        return OwnersSide(memory), SharedSide(other)

    @initialize(in_crowds=st.booleans())
    def come(self, in_crowds: bool) -> None:
        # A crowd may come into line in any order: then all that wait are handed out at once.
        self.in_crowds = in_crowds

    def most(self, max_jobs: int) -> int:
        return LIMITS["max_queued_jobs"] if self.in_crowds and max_jobs else max_jobs

    @rule(submissions=some(SUBMISSIONS))
    def accept(self, submissions: list[tuple[NewJob, bytes, int | None, str]]) -> None:
        wanted = [
            Submission(self.submitted(new), JobSpec(new.kind, payload, timeout), correlation)
            for new, payload, timeout, correlation in submissions
        ]
        for crowd in [wanted] if self.in_crowds else [[each] for each in wanted]:
            self.ask(lambda side, crowd=crowd: side.state.accept(crowd))

    def submitted(self, new: NewJob) -> NewJob:
        """Return it as a submit of its own.

        One that makes no promise to find an earlier job, as it has no request id, has another kind
        of name: a store that has no room for it need not look what became of it.
        """
        if not new.request_id:
            return replace(new, submit_id=f"once-{next(self.numbers)}")
        self.submits.append(self.submit_of(FUTURE))
        return replace(new, submit_id=self.submits[-1])

    def submit_of(self, index: int) -> str:
        """Return one of the last submits under a request id, or the next one."""
        return self.submits[-1 - index] if index < len(self.submits) else f"s{len(self.submits)}"

    @rule(submit=INDEX, index=INDEX)
    def withdraw(self, submit: int, index: int) -> None:
        name = self.submit_of(submit)
        self.ask(lambda side: side.jobs.withdraw(name, side.id_of(index)))

    @rule(submit=INDEX)
    def withdraw_unanswered(self, submit: int) -> None:
        name = self.submit_of(submit)
        self.ask(lambda side: side.jobs.withdraw(name))

    @rule(worker=WORKERS, reports=REPORTS, max_jobs=st.integers(0, 3), removed=HELD)
    def exchange(
        self, worker: str, reports: list[tuple[int, Outcome]], max_jobs: int, removed: list[int]
    ) -> None:
        async def ask(side: SharedSide) -> Any:
            # The entry of a job that is not over is never removed, for it would wait for ever.
            over = await side.over()
            reported = [(side.execution(index), outcome) for index, outcome in reports]
            # One whose report is refused may be handed out again at once, or by the next step.
            end = await side.end(reported)
            answer = await side.state.exchange(
                worker,
                reported,
                self.most(max_jobs) if end else 0,
                [each for each in map(side.id_of, removed) if each in over],
            )
            leased = self.noted(side, answer.leased)
            starts = dict(zip(map(_execution, answer.leased), answer.starts, strict=True))
            return answer.ends, leased, [starts[each.execution] for each in leased]

        self.ask(ask)

    @rule(worker=WORKERS, max_jobs=st.integers(1, 3))
    def take(self, worker: str, max_jobs: int) -> None:
        self.exchange(worker, [], max_jobs, [])

    @rule(max_jobs=st.integers(0, 2), renew=HELD, release=HELD)
    def dequeue(self, max_jobs: int, renew: list[int], release: list[int]) -> None:
        async def ask(side: SharedSide) -> Any:
            answer = await side.queue.dequeue(
                self.most(max_jobs),
                renew=list(map(side.execution, renew)),
                release=list(map(side.execution, release)),
            )
            return self.noted(side, answer.assignments), answer.lost

        self.ask(ask)

    @rule(indexes=some(INDEX))
    def results(self, indexes: list[int]) -> None:
        """Of a job that is DONE there is an output; whether others have one is nobody's concern."""

        async def ask(side: SharedSide) -> Any:
            jobs = await side.jobs.get([side.id_of(index) for index in indexes])
            done = [job for job in jobs if isinstance(job, Job) and job.state is JobState.DONE]
            return await side.results.get([Execution(job.id, job.attempt) for job in done])

        if self.keeps_results:
            self.ask(ask)

    def noted(self, side: SharedSide, leased: Sequence[Assignment]) -> Sequence[Assignment]:
        """Note what was handed out; returns it in an order in which it can be compared."""
        if self.in_crowds:
            leased = sorted(leased, key=_execution)
        side.leased += map(_execution, leased)
        return leased

    def observed(self, side: Side) -> Any:
        # In which order the steps of one exchange are taken is the store's own.
        return sorted(super().observed(side), key=repr)


def _ends(job: Job, attempt: int, outcome: Outcome) -> bool:
    try:
        lifecycle.finish(job, attempt, outcome.state, outcome.failure, job.create_time)
    except TaskQueueError:
        return False
    return True


def _execution(each: Assignment) -> Execution:
    return each.execution


def test_a_store_takes_steps_over_all_of_its_state_as_its_owners_would(
    open_empty: OpenEmpty, request: pytest.FixtureRequest
) -> None:
    examples = EXAMPLES[request.node.callspec.params["open_empty"]]
    machine.run(SharedMachine, open_empty, examples)
