"""Fates: what became of a job, as far as the history shows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from testbed.check.index import JobHistory
from testbed.check.observations import AUDIT, Observation, Sign
from testbed.record.history.model import OPEN_END


class Fate(Enum):
    """What became of a job."""

    KEPT = "kept"
    LOST = "lost"
    EXPIRED = "expired"
    """It was forgotten when its retention may have been over."""
    LOST_WITH_STATE = "lost_with_state"
    NOT_LOOKED_UP = "not_looked_up"
    UNFINISHED = "unfinished"
    """Nobody was promised it, and it never ends."""


class Ending(NamedTuple):
    """A fate, and for a lost job the observation that shows it and what it shows."""

    fate: Fate
    observation: Observation | None = None
    text: str = ""


_KEPT = Ending(Fate.KEPT)
_EXPIRED = Ending(Fate.EXPIRED)
_UNKNOWN = Ending(Fate.NOT_LOOKED_UP)


def ending_of(job: JobHistory) -> Ending:
    """Return what became of a job."""
    accepted = job.accepted
    found = _lost(job, job.observations, OPEN_END if accepted is None else accepted.completed)
    if found is not None:
        return Ending(Fate.LOST, *found)
    if accepted is None:
        return _at_last(job)
    if job.cut < OPEN_END and _lost(job, job.late, accepted.completed) is not None:
        return Ending(Fate.LOST_WITH_STATE)
    return _at_last(job)


def _lost(
    job: JobHistory, observations: Sequence[Observation], accepted: int
) -> tuple[Observation, str] | None:
    """Return the first observation that finds the job, or its output, lost."""
    for observation in observations:
        if job.may_have_expired(observation):
            continue
        if observation.what is Sign.NOT_FOUND and observation.op.invoked > accepted:
            return observation, "was accepted, and later there was no such job"
        if observation.what is Sign.OUTPUT_LOST:
            return observation, "is DONE, and its output is lost"
    return None


def _at_last(job: JobHistory) -> Ending:
    """Judge a job by the last observation of the audit."""
    last: Observation | None = None
    terminal = False
    for observation in (*job.observations, *job.late) if job.late else job.observations:
        terminal = terminal or observation.terminal
        if observation.op.client == AUDIT and (
            last is None or observation.op.completed >= last.op.completed
        ):
            last = observation
    if last is None:
        return _UNKNOWN
    if job.may_have_expired(last):
        return _EXPIRED
    if terminal or not last.unfinished:
        return _KEPT
    if job.unanswered > last.op.completed:
        return _UNKNOWN
    if job.cut < OPEN_END:
        return Ending(Fate.LOST_WITH_STATE)
    at_last = f"was still {last.state or 'not terminal'} at the last observation"
    if job.accepted is None:
        return Ending(Fate.UNFINISHED, last, f"was promised to nobody, and {at_last}")
    return Ending(Fate.LOST, last, f"was accepted, and {at_last}")
