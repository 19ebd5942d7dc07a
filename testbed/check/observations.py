"""Observations: what single answers show of single jobs."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from testbed.record.history import lines
from testbed.record.history.model import CallOutcome, Listed, Operation, Result, Seen

RANK = {"QUEUED": 0, "RUNNING": 1, "DONE": 2, "FAILED": 2, "CANCELED": 2}
TERMINAL = frozenset(state for state, rank in RANK.items() if rank == 2)
AUDIT = "audit"
"""The client that looks up every accepted job at the end of a run."""


class Sign(Enum):
    """What a refusal says of a job."""

    NOT_FOUND = "there is no such job"
    NOT_FINISHED = "it is not terminal"
    OUTPUT_LOST = "it is DONE, and its output is lost"


class Observation(NamedTuple):
    """One answer about one job; a page of a list is an observation of each of its jobs."""

    op: Operation
    what: Seen | Result | Sign

    @property
    def state(self) -> str:
        """The state that it shows, or nothing if it shows none."""
        return "" if isinstance(self.what, Sign) else self.what.state

    @property
    def terminal(self) -> bool:
        """Whether it shows a terminal state with what belongs to it."""
        what = self.what
        return not isinstance(what, Sign) and what.state in TERMINAL

    @property
    def unfinished(self) -> bool:
        """Whether it shows that the job is there and not terminal."""
        what = self.what
        if isinstance(what, Sign):
            return what is Sign.NOT_FINISHED
        return what.state not in TERMINAL

    @property
    def started(self) -> bool:
        """Whether it shows that the job was handed to a worker at some time."""
        what = self.what
        if isinstance(what, Seen):
            return what.attempt > 0 or what.state in {"RUNNING", "DONE", "FAILED"}
        if isinstance(what, Result):
            return what.state in {"DONE", "FAILED"}
        return what is Sign.OUTPUT_LOST

    def before(self, other: Observation) -> bool:
        """Whether this answer was there before the other was asked for."""
        return self.op.completed < other.op.invoked


def observations_of(operation: Operation) -> Iterator[tuple[str, Observation]]:
    """Iterate over the jobs that a call says something about, and what."""
    answer = operation.answer
    if isinstance(answer, Listed):
        for seen in answer.jobs:
            yield seen.job_id, Observation(operation, seen)
    elif isinstance(operation.asked, str):
        if isinstance(answer, Seen | Result):
            yield operation.asked, Observation(operation, answer)
        elif operation.outcome is CallOutcome.FAIL and (sign := _sign(operation)) is not None:
            yield operation.asked, Observation(operation, sign)


def _sign(operation: Operation) -> Sign | None:
    if operation.code == "NOT_FOUND":
        return Sign.NOT_FOUND
    if operation.call == lines.RESULT:
        if operation.reason == "JOB_NOT_FINISHED":
            return Sign.NOT_FINISHED
        if operation.code == "DATA_LOSS":
            return Sign.OUTPUT_LOST
    return None


def in_real_time(observations: list[Observation]) -> list[int]:
    """Return the order of asking and answering of observations that are in the order of asking.

    The number of an observation is where it was asked for, its complement (``~number``) where it
    was answered. An answer comes before a question only if it was there earlier by the clock;
    answers after the last question are left out, for nothing depends on them.
    """
    if len(observations) == 1:
        return [0]
    answered = sorted(
        range(len(observations)), key=lambda number: observations[number].op.completed
    )
    order: list[int] = []
    next_one = 0
    for number, observation in enumerate(observations):
        asked = observation.op.invoked
        while observations[answered[next_one]].op.completed < asked:
            order.append(~answered[next_one])
            next_one += 1
        order.append(number)
    return order
