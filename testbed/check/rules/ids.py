"""Ids sort by the time of creation, and those of one owner in the order of acceptance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from common.domain import ids
from common.domain.errors import MalformedJobId
from testbed.check.index import Index, JobHistory
from testbed.check.observations import Sign
from testbed.check.verdict import Finding, Rule
from testbed.record.history.model import IDS_BY_HOME, OPEN_END, Operation, Seen, Submitted


def _find(index: Index) -> Iterator[Finding]:
    jobs = [index.jobs[job_id] for job_id in sorted(index.jobs)]
    yield from _against_creation(jobs)
    if index.history.ids == IDS_BY_HOME:
        for some in _by_owner(jobs).values():
            yield from _against_acceptance(index, some)


def _against_creation(jobs: Iterable[JobHistory]) -> Iterator[Finding]:
    """Go up the ids: none has a time of creation before that of a lower one."""
    latest: tuple[int, str, Operation] | None = None
    for job in jobs:
        created = _created(job)
        if created is None:
            continue
        time, shown = created
        if latest is not None and time < latest[0]:
            text = f"has a higher id than {latest[1]}, and was created before it"
            yield Finding(job.id, text, (latest[2], shown))
        else:
            latest = time, job.id, shown


def _created(job: JobHistory) -> tuple[int, Operation] | None:
    for observation in (*job.observations, *job.late):
        seen = observation.what
        if isinstance(seen, Seen) and seen.create_us is not None and seen.job_id == job.id:
            return seen.create_us, observation.op
    return None


def _by_owner(jobs: Iterable[JobHistory]) -> dict[tuple[int, int], list[JobHistory]]:
    """Return the jobs whose ids one process made between its start and its end."""
    owners: dict[tuple[int, int], list[JobHistory]] = {}
    for job in jobs:
        try:
            parsed = ids.parse(job.id)
        except MalformedJobId:
            continue
        owners.setdefault((parsed.home, parsed.boot), []).append(job)
    return owners


def _against_acceptance(index: Index, jobs: list[JobHistory]) -> Iterator[Finding]:
    """Go down the ids of one owner: none was submitted when a higher one was there already."""
    first: tuple[int, str, Operation] | None = None
    for job in reversed(jobs):
        submit = _first_submit(index, job)
        if first is not None and submit is not None and submit.invoked > first[0]:
            text = f"was submitted when {first[1]} was there already, and has a lower id"
            yield Finding(job.id, text, (first[2], submit))
        there = _there(job)
        if there is not None and (first is None or there.completed < first[0]):
            first = there.completed, job.id, there


def _first_submit(index: Index, job: JobHistory) -> Operation | None:
    """Return the submit before which the job cannot have been made, ``None`` if none is known."""
    may_have: list[Operation] = []
    for submit in job.submits:
        assert isinstance(submit.asked, Submitted)
        may_have += index.by_request.get(submit.asked.request_id, [submit])
    return min(may_have, key=lambda submit: submit.invoked, default=None)


def _there(job: JobHistory) -> Operation | None:
    """Return the first answer that shows the job to be there."""
    sights = (each.op for each in (*job.observations, *job.late) if each.what is not Sign.NOT_FOUND)
    shown = [each for each in (*job.submits, *sights) if each.completed < OPEN_END]
    return min(shown, key=lambda operation: operation.completed, default=None)


RULE = Rule("ids", "Ids sort by creation; those of one owner in the order of acceptance", _find)
