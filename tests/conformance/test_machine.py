"""Random operations on a store and on the owners in memory, which have to answer alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from common.domain.errors import TaskQueueError
from common.domain.ids import IdMint
from common.domain.job import Execution, Failure, Job, JobSpec, JobState
from common.domain.paging import JobQuery
from common.ports import NewEntry, NewJob, Transition
from common.stores.memory import MemoryStore
from common.stores.store import Store
from tests.support.owners import HandClock, Silence
from tests.support.stores import LEASE, settings_of

# Without the search for the shortest example, which takes minutes.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
EXAMPLES = {"redis": 80, "postgres": 15}
"""Of each store as many as take ten seconds."""
STEPS = 40
LIMITS: dict[str, Any] = {"max_queued_jobs": 4, "max_queued_bytes": 100}
MOMENT = 1000
"""Microseconds between two operations, more than the jobs that one creates."""

# Of the last jobs: what happens to one is of more interest the more has happened to it.
INDEX = st.sampled_from([0, 0, 0, 1, 1, 2, 99])
SUBMITS = st.sampled_from(["", "s1", "s1", "s2"])
STATES = st.sampled_from(list(JobState))
NEW_JOBS = st.builds(
    NewJob,
    st.sampled_from(["noop", "sleep"]),
    st.sampled_from(["", "r1", "r1", "r2"]),
    st.sampled_from([b"\x00d", b"\x00d", b"\x00d", b"e"]),
    SUBMITS,
)
STEPS_TAKEN = st.tuples(
    INDEX,
    st.sampled_from([0, 1, 1, 1, 2]),
    st.sampled_from([JobState.RUNNING, *JobState]),
    st.sampled_from(["w1", "w2"]),
    st.sampled_from([None, None, Failure("X", "why é")]),
)
NAMES = st.sampled_from(["q1", "q1", "q2", "q2", "q3", "q4", "q5"])
ENTRIES = st.builds(
    NewEntry,
    NAMES,
    st.builds(
        JobSpec,
        st.just("noop"),
        st.sampled_from([b"", b"\xff" * 10, bytes(60)]),
        st.sampled_from([None, 5]),
    ),
    st.sampled_from(["", "c"]),
)
EXECUTIONS = st.lists(st.builds(Execution, NAMES, st.sampled_from([1, 1, 2])), max_size=3)
SECONDS = st.sampled_from([0.5, LEASE / 2, LEASE, LEASE * 1.1, 19.9, 30.0, 3600.0])


def some(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(of, min_size=1, max_size=3)


class Side:
    """A store, what its owners reported, and the ids of its jobs in the order of their making."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.seen_jobs, self.seen_queue = Silence(), Silence()
        self.jobs = store.jobs(IdMint(0, 1), self.seen_jobs)
        self.queue = store.queue(self.seen_queue)
        self.results = store.results()
        self.ids: list[str] = []

    def id_of(self, index: int) -> str:
        return self.ids[-1 - index] if index < len(self.ids) else "0" * 16

    def plain(self, answer: Any) -> Any:
        """Return what an answer says without the ids and create times that a store chooses."""
        if isinstance(answer, TaskQueueError):
            return answer.reason
        if isinstance(answer, Job):
            if answer.id not in self.ids:
                self.ids.append(answer.id)
            return replace(answer, id=str(self.ids.index(answer.id)), create_time=0)
        if isinstance(answer, tuple) and not hasattr(answer, "_fields"):
            return tuple(map(self.plain, answer))
        if isinstance(answer, list):
            return [self.plain(each) for each in answer]
        return answer


class StoreMachine(RuleBasedStateMachine):
    """Asks memory and a store for the same; both must answer, and observe, the same."""

    def __init__(self, open_empty: Callable[..., Store]) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = HandClock()
        self.open_empty = open_empty
        self.sides: Sequence[Side] = ()

    @initialize(retention=st.sampled_from([0, 30]))
    def open(self, retention: int) -> None:
        # The time of results is a server's own, which is not turned by hand.
        self.keeps_results = not retention
        given = {"retention": retention, **LIMITS}
        stores = (
            MemoryStore(settings_of(**given), self.clock),
            self.open_empty(self.clock, **given),
        )
        self.sides = [Side(store) for store in stores]

    def ask(self, question: Callable[[Side], Any]) -> Any:
        """Return what both answer."""
        self.clock.time += MOMENT
        memory, other = (side.plain(self.loop.run(question(side))) for side in self.sides)
        self.clock.time += MOMENT
        assert other == memory
        return memory

    def teardown(self) -> None:
        for side in self.sides:
            self.loop.run(side.store.close())
        self.loop.close()

    # Jobs

    @rule(jobs=some(NEW_JOBS))
    def create(self, jobs: list[NewJob]) -> None:
        self.ask(lambda side: side.jobs.create(jobs))

    @rule(indexes=some(INDEX))
    def get(self, indexes: list[int]) -> None:
        self.ask(lambda side: side.jobs.get([side.id_of(index) for index in indexes]))

    @rule(steps=some(STEPS_TAKEN))
    def transition(self, steps: list[Any]) -> None:
        self.ask(
            lambda side: side.jobs.transition(
                [
                    Transition(Execution(side.id_of(index), attempt), *rest)
                    for index, attempt, *rest in steps
                ]
            )
        )

    @rule(indexes=some(INDEX))
    def cancel(self, indexes: list[int]) -> None:
        self.ask(
            lambda side: side.jobs.set_cancel_requested([side.id_of(index) for index in indexes])
        )

    @rule(indexes=some(INDEX))
    def forget(self, indexes: list[int]) -> None:
        self.ask(lambda side: side.jobs.forget([side.id_of(index) for index in indexes]))

    @rule(submit=SUBMITS, index=INDEX)
    def withdraw(self, submit: str, index: int) -> None:
        self.ask(lambda side: side.jobs.withdraw(submit, side.id_of(index)))

    @rule(submit=SUBMITS)
    def withdraw_unanswered(self, submit: str) -> None:
        self.ask(lambda side: side.jobs.withdraw(submit))

    @rule(
        state=st.none() | STATES,
        kind=st.sampled_from(["", "noop", "sleep", "never"]),
        before=st.none() | INDEX,
        limit=st.integers(1, 4),
    )
    def page(self, state: JobState | None, kind: str, before: int | None, limit: int) -> None:
        def ask(side: Side) -> Any:
            start = "" if before is None else side.id_of(before)
            return side.jobs.page(JobQuery(state, kind, start, limit))

        self.ask(ask)

    # Queue

    @rule(entries=some(ENTRIES))
    def enqueue(self, entries: list[NewEntry]) -> None:
        self.ask(lambda side: side.queue.enqueue(entries))

    @rule(
        max_jobs=st.integers(0, 3),
        renew=EXECUTIONS,
        release=EXECUTIONS,
        remove=st.lists(NAMES, max_size=2),
    )
    def dequeue(
        self, max_jobs: int, renew: list[Execution], release: list[Execution], remove: list[str]
    ) -> None:
        self.ask(
            lambda side: side.queue.dequeue(max_jobs, renew=renew, release=release, remove=remove)
        )

    @rule(max_jobs=st.integers(1, 3))
    def lease(self, max_jobs: int) -> None:
        self.ask(lambda side: side.queue.dequeue(max_jobs))

    @rule(names=some(NAMES))
    def remove(self, names: list[str]) -> None:
        self.ask(lambda side: side.queue.remove(names))

    @rule(names=some(NAMES))
    def keep_out(self, names: list[str]) -> None:
        self.ask(lambda side: side.queue.keep_out(names))

    # Results

    @rule(
        outputs=some(
            st.tuples(st.builds(Execution, NAMES, st.integers(1, 2)), st.sampled_from([b"", b"1"]))
        )
    )
    def store(self, outputs: list[tuple[Execution, bytes]]) -> None:
        if self.keeps_results:
            self.ask(lambda side: side.results.store(outputs))

    @rule(executions=EXECUTIONS)
    def results(self, executions: list[Execution]) -> None:
        if self.keeps_results:
            self.ask(lambda side: side.results.get(executions))

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # What is observed

    @rule()
    def gauges(self) -> None:
        async def numbers(side: Side) -> Any:
            await side.queue.dequeue(0)  # shows again those whose lease has ended
            await side.jobs.sample()
            await side.queue.sample()
            queue = side.queue
            depths = [queue.depth(), queue.leased(), queue.oldest_age()]
            return [dict(side.jobs.counts()), depths, sorted(side.seen_queue.redeliveries)]

        self.ask(numbers)

    @invariant()
    def the_same_steps_are_observed(self) -> None:
        def observed(side: Side) -> Any:
            seen = side.seen_jobs
            plain = [side.plain(each) for each in (*seen.steps, *seen.rejections)]
            seen.steps.clear()
            seen.rejections.clear()
            return plain

        memory, other = map(observed, self.sides)
        assert other == memory


def test_a_store_answers_whatever_it_is_asked_as_memory_does(
    open_empty: Callable[..., Store], request: pytest.FixtureRequest
) -> None:
    class Machine(StoreMachine):
        def __init__(self) -> None:
            super().__init__(open_empty)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES[request.node.callspec.params["open_empty"]],
            stateful_step_count=STEPS,
            phases=PHASES,
        ),
    )
