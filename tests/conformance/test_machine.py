"""Random operations on a store and on the owners in memory, which have to answer alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from common.domain.job import MICROSECONDS, Execution, JobSpec, JobState
from common.owners.queue import KEPT_OUT
from common.ports import NewEntry, NewJob, Transition
from tests.conformance import machine
from tests.conformance.machine import (
    FAILURES,
    INDEX,
    NEW_JOBS,
    PAYLOADS,
    SUBMITS,
    TIMEOUTS,
    OpenEmpty,
    StoreMachine,
    some,
)

EXAMPLES = {"redis": 80, "postgres": 15}
"""Of each store as many as take ten seconds."""

STEPS_TAKEN = st.tuples(
    INDEX,
    st.sampled_from([0, 1, 1, 1, 2]),
    st.sampled_from([JobState.RUNNING, *JobState]),
    st.sampled_from(["w1", "w2"]),
    FAILURES,
).filter(lambda step: step[2] is not JobState.RUNNING or step[-1] is None)
NAMES = st.sampled_from(["q1", "q1", "q2", "q2", "q3", "q4", "q5"])
ENTRIES = st.builds(
    NewEntry,
    NAMES,
    st.builds(JobSpec, st.just("noop"), PAYLOADS, TIMEOUTS),
    st.sampled_from(["", "c"]),
)
EXECUTIONS = st.lists(st.builds(Execution, NAMES, st.sampled_from([1, 1, 2])), max_size=3)


class OwnersMachine(StoreMachine):
    """Asks jobs, queue and results one by one; entries are of names that are no jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.kept_out: dict[str, int] = {}

    # Jobs

    @rule(jobs=some(NEW_JOBS))
    def create(self, jobs: list[NewJob]) -> None:
        self.ask(lambda side: side.jobs.create(jobs))

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

    @rule(submit=SUBMITS, index=INDEX)
    def withdraw(self, submit: str, index: int) -> None:
        self.ask(lambda side: side.jobs.withdraw(submit, side.id_of(index)))

    @rule(submit=SUBMITS)
    def withdraw_unanswered(self, submit: str) -> None:
        self.ask(lambda side: side.jobs.withdraw(submit))

    # Queue

    @rule(entries=some(ENTRIES))
    def enqueue(self, entries: list[NewEntry]) -> None:
        # How much longer a store keeps out what it need not is its own concern.
        over = self.clock.now() - int(KEPT_OUT * MICROSECONDS)
        wanted = [
            each for each in entries if self.kept_out.get(each.job_id, self.clock.now()) > over
        ]
        self.ask(lambda side: side.queue.enqueue(wanted))

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
        absent = self.ask(lambda side: side.queue.keep_out(names))
        now = self.clock.now()
        self.kept_out |= {name: now for name, out in zip(names, absent, strict=True) if out}

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


def test_a_store_answers_whatever_it_is_asked_as_memory_does(
    open_empty: OpenEmpty, request: pytest.FixtureRequest
) -> None:
    examples = EXAMPLES[request.node.callspec.params["open_empty"]]
    machine.run(OwnersMachine, open_empty, examples)
