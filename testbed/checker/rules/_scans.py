"""Scans, and the jobs that have to be in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import NamedTuple

from sortedcontainers import SortedList

from testbed.checker.index import Index, Job
from testbed.checker.looks import Sign
from testbed.history.model import Listed, Operation, Page, Seen, Submitted

Filters = tuple[str, str]
"""State and kind, each empty for any."""


@dataclass(frozen=True)
class Scan:
    """The pages of a listing from the first on, without a gap, and the lowest id they reach to.

    A page that was asked for more than once has several answers; the next one goes on below one of
    them. What a job is on none of, no way through the answers has shown. ``floor`` is empty if one
    way reaches the end of the list. ``where`` has the page of each job.
    """

    name: str
    filters: Filters
    pages: Sequence[Sequence[Operation]]
    floor: str
    where: dict[str, int]

    @property
    def begun(self) -> int:
        """When its first page was asked for."""
        return min(answer.invoked for answer in self.pages[0])

    @property
    def ended(self) -> int:
        """When the last of its pages was answered."""
        return max(answer.completed for page in self.pages for answer in page)

    def around(self, job_id: str) -> Sequence[Operation]:
        """Return the pages that show the job to be missing: those of its neighbours."""
        newer = [page for listed, page in self.where.items() if listed > job_id]
        older = [page for listed, page in self.where.items() if listed < job_id]
        first, last = max(newer, default=0), min(older, default=len(self.pages) - 1)
        return [
            answer
            for page in self.pages[min(first, last) : max(first, last) + 1]
            for answer in page
        ]


def scan_of(name: str, pages: Sequence[Operation]) -> Scan | None:
    """Put the pages of a listing together; ``None`` if it is not clear which belong together."""
    if len({_filters(page) for page in pages}) > 1:
        return None
    run: list[list[Operation]] = []
    for number, page in groupby(sorted(pages, key=_number), key=_number):
        if number > len(run) or (run and not any(_listed(each).more for each in run[-1])):
            break
        run.append(list(page))
    where = {
        seen.job_id: at
        for at, page in enumerate(run)
        for answer in page
        for seen in _listed(answer).jobs
    }
    if not run:
        return None
    floor = ""
    if all(_listed(answer).more for page in run for answer in page):
        # Every answer to the last page is as far as one way through the answers reaches.
        lowest = [_listed(answer).jobs[-1].job_id for answer in run[-1] if _listed(answer).jobs]
        if not lowest:
            return None
        floor = min(lowest)
    return Scan(name, _filters(pages[0]), run, floor, where)


class Since(NamedTuple):
    """From which answer on a job is known to match; up to which, ``None`` if for ever."""

    shown: Operation
    until: Operation | None = None


class Present:
    """The jobs that are known to be there and to match filters, as time goes on.

    An accepted job is there from the answer to its submit. It stays in its state once that is
    terminal; before that it is in the state between two looks that both show it.
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

        A job whose memory is gone is not expected any more.
        """
        present = self._sorted[scan.filters]
        expected = present.irange(scan.floor or None, inclusive=(False, True), reverse=True)
        gone = []
        found = None
        for job_id in expected:
            if job_id in scan.where:
                continue
            since = self._since[scan.filters, job_id]
            end = self._index.jobs[job_id].cut
            if since.until is not None:
                end = min(end, since.until.invoked)
            if end > scan.ended:
                found = job_id, since
                break
            if end <= scan.begun:
                gone.append(job_id)
        for job_id in gone:
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


def _known(job: Job) -> Iterator[tuple[str, Since]]:
    """Iterate over the states that the job is known to be in, empty for any, and since when."""
    accepted, terminal = job.accepted, job.first_terminal
    if accepted is not None:
        yield "", Since(accepted)
    elif terminal is not None:
        yield "", Since(terminal.op)
    if terminal is not None:
        yield terminal.state, Since(terminal.op)
    yield from _unfinished(job)


def _unfinished(job: Job) -> Iterator[tuple[str, Since]]:
    """Iterate over the states before the end that two looks show, and from when to when."""
    there = [look.op for look in job.looks if look.what is not Sign.NOT_FOUND]
    if job.accepted is not None:
        there.append(job.accepted)
    queued = [look.op for look in job.looks if look.state == "QUEUED"]
    running = [look.op for look in job.looks if look.state == "RUNNING"]
    # It is not finished, and once it was RUNNING it is that until it is.
    unfinished = [look.op for look in job.looks if look.what is Sign.NOT_FINISHED]
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


def _kind(job: Job) -> str:
    """Return the kind of a job, or what is no filter if no call tells."""
    for submit in job.submits:
        if isinstance(submit.asked, Submitted):
            return submit.asked.kind
    seen = (look.what for look in job.looks if isinstance(look.what, Seen))
    return next((each.kind for each in seen if isinstance(each, Seen)), "?")


def _asked(page: Operation) -> Page:
    assert isinstance(page.asked, Page)
    return page.asked


def _listed(page: Operation) -> Listed:
    assert isinstance(page.answer, Listed)
    return page.answer


def _number(page: Operation) -> int:
    return _asked(page).number


def _filters(page: Operation) -> Filters:
    asked = _asked(page)
    return asked.state, asked.kind
