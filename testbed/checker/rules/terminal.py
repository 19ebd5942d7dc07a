"""A terminal job stays as it is: for every later read, by any client, through any endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.checker.index import Index, Job
from testbed.checker.looks import Look, Sign
from testbed.checker.rules._canceled import acknowledged, contradicts
from testbed.checker.rules._terminal import difference
from testbed.checker.verdict import Finding, Rule
from testbed.history import lines
from testbed.history.model import Result


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        if len(job.looks) > 1 and (first := job.first_terminal) is not None:
            finding = _changed(job, first)
            if finding is not None:
                yield finding


def _changed(job: Job, first: Look) -> Finding | None:
    """Return the first look that does not agree with the terminal one that was there first."""
    canceled = acknowledged(job)
    output: Look | None = first if isinstance(first.what, Result) else None
    for look in job.looks:
        if look is first or (canceled is not None and contradicts(canceled, look)):
            continue
        later = first.before(look)
        if later and look.op.call == lines.CANCEL and not isinstance(look.what, Sign):
            continue  # what a cancel answers has a rule of its own
        if look.terminal:
            problem = difference(first, look) or (difference(output, look) if output else "")
            if problem:
                shown = (first if difference(first, look) else output or first, look)
                return Finding(job.id, f"changed: {problem}", (shown[0].op, look.op))
            if output is None and isinstance(look.what, Result):
                output = look
        elif later and (text := _stale(job, first, look)):
            return Finding(job.id, text, (first.op, look.op))
    return None


def _stale(job: Job, first: Look, look: Look) -> str:
    """Say what is wrong with a look after a terminal one that shows no terminal state."""
    if look.what is Sign.NOT_FOUND:
        accepted = job.accepted
        if accepted is not None and accepted.completed < look.op.invoked:
            return ""  # it is lost, and that rule says so
        return f"was {first.state}, and later there was no such job"
    if look.unfinished:
        return f"was {first.state}, and later shown as {look.state or 'not finished'}"
    return ""


RULE = Rule("terminal", "A terminal state and its result never change, for any later read", _find)
