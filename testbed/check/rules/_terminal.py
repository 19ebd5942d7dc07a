"""The terminal observations that all others have to agree with, and in what two disagree."""

from __future__ import annotations

from testbed.check.index import JobHistory
from testbed.check.observations import Observation
from testbed.record.history.model import Result, Seen


def references(job: JobHistory) -> list[Observation]:
    """Return the terminal record and the result that were answered first, in the order of that.

    A record says nothing of the output and a result nothing of the attempt, so it takes both.
    """
    first = job.first_terminal
    if first is None:
        return []
    found = [first]
    for observation in job.observations:
        if observation.terminal and type(observation.what) is not type(first.what):
            found[1:] = (
                [min(*found[1:], observation, key=_answered)] if found[1:] else [observation]
            )
    return found


def difference(one: Observation, other: Observation) -> str:
    """Say in what two terminal observations differ; nothing if they agree."""
    first, second = one.what, other.what
    names = ["state", "failure"]
    if isinstance(first, Seen) and isinstance(second, Seen):
        names += ["attempt", "finish_us", "cancel_requested"]
    elif isinstance(first, Result) and isinstance(second, Result):
        names.append("digest")
    for name in names:
        before, after = getattr(first, name), getattr(second, name)
        if before != after:
            return f"{name} {before!r} in one answer, {after!r} in another"
    return ""


def _answered(observation: Observation) -> int:
    return observation.op.completed
