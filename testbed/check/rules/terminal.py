"""A terminal job stays as it is: for every later read, by any client, through any endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.index import Index, JobHistory
from testbed.check.observations import Observation, Sign
from testbed.check.rules._canceled import acknowledged, contradicts
from testbed.check.rules._terminal import difference, references
from testbed.check.verdict import Finding, Rule
from testbed.record.history import lines


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        if len(job.observations) > 1 and (first := job.first_terminal) is not None:
            finding = _changed(job, first)
            if finding is not None:
                yield finding


def _changed(job: JobHistory, first: Observation) -> Finding | None:
    """Return the first observation that disagrees with the terminal ones that were there first."""
    canceled = acknowledged(job)
    known = references(job)
    for observation in job.observations:
        if observation is first or (canceled is not None and contradicts(canceled, observation)):
            continue
        # What a cancel answers after the end has a rule of its own.
        cancel = observation.op.call == lines.CANCEL and not isinstance(observation.what, Sign)
        if observation.terminal:
            for each in known:
                if (problem := difference(each, observation)) and not (
                    cancel and each.before(observation)
                ):
                    return Finding(job.id, f"changed: {problem}", (each.op, observation.op))
        elif first.before(observation) and not cancel and (text := _stale(job, first, observation)):
            return Finding(job.id, text, (first.op, observation.op))
    return None


def _stale(job: JobHistory, first: Observation, observation: Observation) -> str:
    """Say what is wrong with an observation after a terminal one that shows no terminal state."""
    if job.may_have_expired(observation):
        return ""
    if observation.what is Sign.NOT_FOUND:
        accepted = job.accepted
        if accepted is not None and accepted.completed < observation.op.invoked:
            return ""  # it is lost, and that rule says so
        return f"was {first.state}, and later there was no such job"
    if observation.unfinished:
        return f"was {first.state}, and later shown as {observation.state or 'not finished'}"
    return ""


RULE = Rule("terminal", "A terminal state and its result never change, for any later read", _find)
