"""A terminal job stays as it is: for every later read, by any client, through any endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.index import Index, Job
from testbed.check.looks import Look, Sign
from testbed.check.rules._canceled import acknowledged, contradicts
from testbed.check.rules._terminal import difference, references
from testbed.check.verdict import Finding, Rule
from testbed.record.history import lines


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        if len(job.looks) > 1 and (first := job.first_terminal) is not None:
            finding = _changed(job, first)
            if finding is not None:
                yield finding


def _changed(job: Job, first: Look) -> Finding | None:
    """Return the first look that does not agree with the terminal ones that were there first."""
    canceled = acknowledged(job)
    known = references(job)
    for look in job.looks:
        if look is first or (canceled is not None and contradicts(canceled, look)):
            continue
        # What a cancel answers after the end has a rule of its own.
        cancel = look.op.call == lines.CANCEL and not isinstance(look.what, Sign)
        if look.terminal:
            for each in known:
                if (problem := difference(each, look)) and not (cancel and each.before(look)):
                    return Finding(job.id, f"changed: {problem}", (each.op, look.op))
        elif first.before(look) and not cancel and (text := _stale(job, first, look)):
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
