"""No job comes from nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.index import Index, JobHistory
from testbed.check.observations import Observation, Sign
from testbed.check.origins import trace
from testbed.check.verdict import Finding, Rule
from testbed.record.history.model import CallOutcome, Seen, Submitted


def _find(index: Index) -> Iterator[Finding]:
    origins = trace(index)
    for job in origins.unexplained:
        observation = _first_sight(job)
        text = "is there, and no submit can have made it"
        if convicted := origins.replaced.before(observation.op.completed, _kind(job)):
            text += ", for that without an answer made the job of its repeat"
        yield Finding(job.id, text, (*convicted, observation.op))
    for job in index.jobs.values():
        if job.submits and job.observations and _too_early(index, job):
            shown = (_first_sight(job).op, job.submits[0])
            yield Finding(job.id, "was there before anybody submitted it", shown)


def _kind(job: JobHistory) -> str:
    shown = (each.what for each in (*job.observations, *job.late))
    return next((what.kind for what in shown if isinstance(what, Seen)), "")


def _first_sight(job: JobHistory) -> Observation:
    sights = (each for each in (*job.observations, *job.late) if each.what is not Sign.NOT_FOUND)
    return min(sights, key=lambda each: each.op.completed)


def _too_early(index: Index, job: JobHistory) -> bool:
    """Say whether it was seen before all submits that may have made it."""
    seen = job.first_sight
    if job.submits[0].invoked <= seen:
        return False
    for submit in job.submits:
        if isinstance(submit.asked, Submitted) and submit.asked.request_id:
            same = index.by_request[submit.asked.request_id]
            if any(each.invoked <= seen and each.outcome is not CallOutcome.FAIL for each in same):
                return False
    return True


RULE = Rule("unexpected", "Every job was submitted: an indefinite submit makes one at most", _find)
