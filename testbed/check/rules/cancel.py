"""What a cancel answers is so, and stays so."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.index import Index, JobHistory
from testbed.check.observations import Observation
from testbed.check.rules._canceled import acknowledged, contradicts
from testbed.check.rules._terminal import difference, references
from testbed.check.verdict import Finding, Rule
from testbed.record.history import lines
from testbed.record.history.model import Seen


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        if not job.cancels:
            continue
        finding = _started(job) or _answered_wrongly(job)
        if finding is not None:
            yield finding


def _started(job: JobHistory) -> Finding | None:
    canceled = acknowledged(job)
    if canceled is None:
        return None
    for observation in job.observations:
        if contradicts(canceled, observation):
            text = "was canceled while it was queued, and started all the same"
            return Finding(job.id, text, (canceled.op, observation.op))
    return None


def _answered_wrongly(job: JobHistory) -> Finding | None:
    known = references(job)
    for observation in job.observations:
        if observation.op.call != lines.CANCEL or not isinstance(observation.what, Seen):
            continue
        before = [reference for reference in known if reference.before(observation)]
        for reference in before:
            if problem := _not_the_same(reference, observation):
                text = f"was terminal, and a cancel was answered otherwise: {problem}"
                return Finding(job.id, text, (reference.op, observation.op))
        if before:
            continue
        if not observation.terminal and not (
            observation.state == "RUNNING" and observation.what.cancel_requested
        ):
            text = f"was canceled, and the answer is {observation.state} without a cancel requested"
            return Finding(job.id, text, (observation.op,))
    return None


def _not_the_same(first: Observation, observation: Observation) -> str:
    return (
        difference(first, observation)
        if observation.terminal
        else f"{first.state}, then {observation.state}"
    )


RULE = Rule(
    "cancel",
    "A cancel of a queued job keeps it from starting, one of a terminal job changes nothing",
    _find,
)
