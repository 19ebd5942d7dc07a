"""The terminal looks that all others have to agree with, and what two of them disagree in."""

from __future__ import annotations

from testbed.check.index import Job
from testbed.check.looks import Look
from testbed.record.history.model import Result, Seen


def references(job: Job) -> list[Look]:
    """Return the terminal record and the result that were answered first, in the order of that.

    A record says nothing of the output and a result nothing of the attempt, so it takes both.
    """
    first = job.first_terminal
    if first is None:
        return []
    found = [first]
    for look in job.looks:
        if look.terminal and type(look.what) is not type(first.what):
            found[1:] = [min(*found[1:], look, key=_answered)] if found[1:] else [look]
    return found


def difference(one: Look, other: Look) -> str:
    """Say in what two terminal looks differ; nothing if they agree."""
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


def _answered(look: Look) -> int:
    return look.op.completed
