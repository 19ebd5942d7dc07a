"""Scans, and the jobs that have to be in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from sortedcontainers import SortedList

from testbed.checker.index import Index, Job
from testbed.history.model import Listed, Operation, Page, Seen, Submitted

Filters = tuple[str, str]
"""State and kind, each empty for any."""


@dataclass(frozen=True)
class Scan:
    """The pages of a listing from the first on, without a gap, and the lowest id they reach to.

    ``floor`` is empty if they reach the end of the list. ``where`` has the page of each job.
    """

    name: str
    filters: Filters
    pages: Sequence[Operation]
    floor: str
    where: dict[str, int]

    @property
    def begun(self) -> int:
        """When its first page was asked for."""
        return self.pages[0].invoked

    @property
    def ended(self) -> int:
        """When its last page was answered."""
        return self.pages[-1].completed

    def around(self, job_id: str) -> Sequence[Operation]:
        """Return the pages that show the job to be missing: those of its neighbours."""
        newer = [page for listed, page in self.where.items() if listed > job_id]
        older = [page for listed, page in self.where.items() if listed < job_id]
        return self.pages[max(newer, default=0) : min(older, default=len(self.pages) - 1) + 1]


def scan_of(name: str, pages: Sequence[Operation]) -> Scan | None:
    """Put the pages of a listing together; ``None`` if it is not clear which belong together."""
    run: list[Operation] = []
    for page in sorted(pages, key=lambda page: _asked(page).number):
        number = _asked(page).number
        if number < len(run) or (run and _filters(page) != _filters(run[0])):
            return None
        if number > len(run) or (run and not _listed(run[-1]).more):
            break
        run.append(page)
    if not run:
        return None
    where = {seen.job_id: at for at, page in enumerate(run) for seen in _listed(page).jobs}
    if not _listed(run[-1]).more:
        return Scan(name, _filters(run[0]), run, "", where)
    # The jobs are in order, so the last is the lowest.
    return Scan(name, _filters(run[0]), run, next(reversed(where)), where) if where else None


class Present:
    """The jobs that are known to be there and to match filters, as time goes on.

    An accepted job is there from the answer to its submit; its state can be relied on once it is
    terminal.
    """

    def __init__(self, index: Index, wanted: set[Filters]) -> None:
        self._index = index
        self._sorted: dict[Filters, SortedList] = {filters: SortedList() for filters in wanted}
        self._since: dict[tuple[Filters, str], Operation] = {}
        self._coming = sorted(_events(index, wanted), key=_answered, reverse=True)

    def advance(self, time: int) -> None:
        """Take in all that was answered before ``time``."""
        while self._coming and self._coming[-1][0].completed < time:
            operation, filters, job_id = self._coming.pop()
            self._since[filters, job_id] = operation
            self._sorted[filters].add(job_id)

    def missing(self, scan: Scan) -> tuple[str, Operation] | None:
        """Return the newest job that the scan leaves out, and the call that shows it to be there.

        A job whose memory is gone is not expected any more.
        """
        present = self._sorted[scan.filters]
        expected = present.irange(scan.floor or None, inclusive=(False, True), reverse=True)
        gone = []
        found = None
        for job_id in expected:
            if job_id in scan.where:
                continue
            cut = self._index.jobs[job_id].cut
            if cut > scan.ended:
                found = job_id, self._since[scan.filters, job_id]
                break
            if cut <= scan.begun:
                gone.append(job_id)
        for job_id in gone:
            present.remove(job_id)
        return found


_Event = tuple[Operation, Filters, str]


def _answered(event: _Event) -> int:
    return event[0].completed


def _events(index: Index, wanted: set[Filters]) -> Iterator[_Event]:
    """Iterate over the calls from whose answer on a job is in the lists with certain filters."""

    @cache
    def lists(state: str, kind: str) -> set[Filters]:
        return wanted & set(product({"", state}, {"", kind}))

    for job in index.jobs.values() if wanted else ():
        kind = _kind(job)
        accepted, terminal = job.accepted, job.first_terminal
        if accepted is not None:
            for filters in lists("", kind):
                yield accepted, filters, job.id
        if terminal is not None:
            for filters in lists(terminal.state, kind):
                # An accepted job is in the lists of all states from before it ended.
                if filters[0] or accepted is None:
                    yield terminal.op, filters, job.id


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


def _filters(page: Operation) -> Filters:
    asked = _asked(page)
    return asked.state, asked.kind
