"""Memory and another store, asked for the same at random: what all such machines have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

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
from common.domain.job import Assignment, Execution, Failure, Job, JobState
from common.domain.paging import JobQuery
from common.ports import NewJob
from common.stores.memory import MemoryStore
from common.stores.store import Store
from tests.support.owners import HandClock, Silence
from tests.support.stores import LEASE, settings_of

OpenEmpty = Callable[..., Store]

# Without the search for the shortest example, which takes minutes.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
STEPS = 40
LIMITS: dict[str, Any] = {"max_queued_jobs": 4, "max_queued_bytes": 100}
MOMENT = 1000
"""Microseconds between two operations, more than the jobs that one creates."""
UNKNOWN = "0" * 16

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
FAILURES = st.sampled_from([None, None, Failure("X", "why é")])
PAYLOADS = st.sampled_from([b"", b"\xff" * 10, bytes(60)])
TIMEOUTS = st.sampled_from([None, 5])
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
        return self.ids[-1 - index] if index < len(self.ids) else UNKNOWN

    def plain(self, answer: Any) -> Any:
        """Return what an answer says without the ids and create times that a store chooses."""
        match answer:
            case TaskQueueError():
                return answer.reason
            case Job():
                return replace(answer, id=self._plain_id(answer.id, new=True), create_time=0)
            case Execution():
                return Execution(self._plain_id(answer.job_id), answer.attempt)
            case Assignment():
                return replace(answer, execution=self.plain(answer.execution))
            case list() | tuple():
                return [self.plain(each) for each in answer]
        return answer

    def _plain_id(self, job_id: str, new: bool = False) -> str:
        """Return the number of a job, and the name as it is of what is none."""
        if new and job_id not in self.ids:
            self.ids.append(job_id)
        return str(self.ids.index(job_id)) if job_id in self.ids else job_id


class StoreMachine(RuleBasedStateMachine):
    """Asks memory and a store for the same; both must answer, and observe, the same."""

    open_empty: ClassVar[OpenEmpty]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = HandClock()
        self.sides: Sequence[Side] = ()

    @initialize(retention=st.sampled_from([0, 30]))
    def open(self, retention: int) -> None:
        # The time of results is a server's own, which is not turned by hand.
        self.keeps_results = not retention
        given = {"retention": retention, **LIMITS}
        memory = MemoryStore(settings_of(**given), self.clock)
        self.sides = self.sides_of(memory, self.open_empty(self.clock, **given))

    def sides_of(self, memory: Store, other: Store) -> Sequence[Side]:
        return Side(memory), Side(other)

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """Return what both answer."""
        self.clock.time += MOMENT
        memory, other = (side.plain(self.loop.run(question(side))) for side in self.sides)
        self.clock.time += MOMENT
        assert other == memory, f"{other}, and memory {memory}"
        return memory

    def teardown(self) -> None:
        for side in self.sides:
            self.loop.run(side.store.close())
        self.loop.close()

    @rule(indexes=some(INDEX))
    def get(self, indexes: list[int]) -> None:
        self.ask(lambda side: side.jobs.get([side.id_of(index) for index in indexes]))

    @rule(indexes=some(INDEX))
    def cancel(self, indexes: list[int]) -> None:
        self.ask(
            lambda side: side.jobs.set_cancel_requested([side.id_of(index) for index in indexes])
        )

    @rule(indexes=some(INDEX))
    def forget(self, indexes: list[int]) -> None:
        self.ask(lambda side: side.jobs.forget([side.id_of(index) for index in indexes]))

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

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def gauges(self) -> None:
        async def numbers(side: Side) -> Any:
            await side.queue.dequeue(0)  # shows again those whose lease has ended
            await side.jobs.sample()
            await side.queue.sample()
            queue = side.queue
            depths = [queue.depth(), queue.leased(), queue.oldest_age()]
            shown = sorted(map(side.plain, side.seen_queue.redeliveries))
            return [dict(side.jobs.counts()), depths, shown]

        self.ask(numbers)

    @invariant()
    def the_same_steps_are_observed(self) -> None:
        memory, other = map(self.observed, self.sides)
        assert other == memory, f"{other}, and memory {memory}"

    def observed(self, side: Side) -> Any:
        """Return what was observed since this was asked last."""
        seen = side.seen_jobs
        plain = [side.plain(each) for each in (*seen.steps, *seen.rejections)]
        seen.steps.clear()
        seen.rejections.clear()
        return plain


def run(machine: type[StoreMachine], opens: OpenEmpty, examples: int) -> None:
    """Have a machine ask a store so many times, each time an empty one."""

    class Machine(machine):  # type: ignore[valid-type, misc]
        open_empty = staticmethod(opens)

    run_state_machine_as_test(
        Machine,
        settings=settings(max_examples=examples, stateful_step_count=STEPS, phases=PHASES),
    )
