"""The jobs that have to be in a listing, as time goes on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from sortedcontainers import SortedList

from testbed.check.index import Index, JobHistory
from testbed.check.observations import Sign
from testbed.check.rules._scans import Filters, Scan
from testbed.record.history.model import Operation, Seen, Submitted


class Since(NamedTuple):
    """From which answer on a job is known to match; up to which, ``None`` if for ever."""

    shown: Operation
    until: Operation | None = None


class Present:
    """The jobs that are known to be there and to match filters, as time goes on.

    An accepted job is there from the answer to its submit. It stays in its state once that is
    terminal, until it may be forgotten; before that it is in the state between two observations
    that both show it.
    """

    def __init__(self, index: Index, wanted: set[Filters]) -> None:
        self._index = index
        self._sorted: dict[Filters, SortedList] = {filters: SortedList() for filters in wanted}
        self._since: dict[tuple[Filters, str], Since] = {}
        self._coming = sorted(_events(index, wanted), key=_answered, reverse=True)

    def advance(self, time: int) -> None:
        """Take in all that was answered before ``time``."""
        while self._coming and self._coming[-1][0].shown.completed < time:
            since, filters, job_id = self._coming.pop()
            self._since[filters, job_id] = since
            self._sorted[filters].add(job_id)

    def missing(self, scan: Scan) -> tuple[str, Since] | None:
        """Return the newest job that the scan leaves out, and the calls that show it to be there.

        A job whose memory is lost, or whose retention may be over, is not expected any more.
        """
        present = self._sorted[scan.filters]
        expected = present.irange(
            scan.floor or None, scan.ceiling or None, inclusive=(False, False), reverse=True
        )
        expired = []
        found = None
        for job_id in expected:
            if job_id in scan.where:
                continue
            since = self._since[scan.filters, job_id]
            job = self._index.jobs[job_id]
            end = min(job.cut, job.expires)
            if since.until is not None:
                end = min(end, since.until.invoked)
            if end > scan.ended:
                found = job_id, since
                break
            if end <= scan.begun:
                expired.append(job_id)
        for job_id in expired:
            present.remove(job_id)
        return found


_Event = tuple[Since, Filters, str]


def _answered(event: _Event) -> int:
    return event[0].shown.completed


def _events(index: Index, wanted: set[Filters]) -> Iterator[_Event]:
    """Iterate over the calls from whose answer on a job is in the lists with certain filters."""

    @cache
    def lists(state: str, kind: str) -> set[Filters]:
        return wanted & {(state, ""), (state, kind)}

    for job in index.jobs.values() if wanted else ():
        kind = _kind(job)
        for state, since in _known(job):
            for filters in lists(state, kind):
                yield since, filters, job.id


def _known(job: JobHistory) -> Iterator[tuple[str, Since]]:
    """Iterate over the states that the job is known to be in, empty for any, and since when."""
    accepted, terminal = job.accepted, job.first_terminal
    if accepted is not None:
        yield "", Since(accepted)
    elif terminal is not None:
        yield "", Since(terminal.op)
    if terminal is not None:
        yield terminal.state, Since(terminal.op)
    yield from _unfinished(job)


def _unfinished(job: JobHistory) -> Iterator[tuple[str, Since]]:
    """Iterate over the states before the end that two observations show, and from when to when."""
    there = [each.op for each in job.observations if each.what is not Sign.NOT_FOUND]
    if job.accepted is not None:
        there.append(job.accepted)
    queued = [each.op for each in job.observations if each.state == "QUEUED"]
    running = [each.op for each in job.observations if each.state == "RUNNING"]
    # It is not finished, and once it was RUNNING it is that until it is.
    unfinished = [each.op for each in job.observations if each.what is Sign.NOT_FINISHED]
    # What is QUEUED was that from the begin.
    for state, first, last in (
        ("QUEUED", there, queued),
        ("RUNNING", running, [*running, *unfinished]),
    ):
        if first and last:
            since = min(first, key=lambda operation: operation.completed)
            until = max(last, key=lambda operation: operation.invoked)
            if since.completed < until.invoked:
                yield state, Since(since, until)


def _kind(job: JobHistory) -> str:
    """Return the kind of a job, or what is no filter if no call shows it."""
    for submit in job.submits:
        if isinstance(submit.asked, Submitted):
            return submit.asked.kind
    seen = (each.what for each in job.observations if isinstance(each.what, Seen))
    return next((each.kind for each in seen if isinstance(each, Seen)), "?")
