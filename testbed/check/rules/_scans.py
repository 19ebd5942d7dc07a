"""Scans: the pages of listings, put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from testbed.record.history.model import Listed, Operation, Page

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
    ceiling: str = ""
    """Only what is below it has to be there; empty for all."""

    @property
    def listing(self) -> tuple[str, str]:
        """The client and its name for the listing that this is of."""
        return self.pages[0][0].client, self.name

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


def scans_of(name: str, pages: Sequence[Operation]) -> Iterator[Scan]:
    """Put the pages of a listing together, as far as it is clear which belong together.

    Of a page that was asked for more than once each answer is judged alone too.
    """
    if len({_filters(page) for page in pages}) > 1:
        return
    run: list[list[Operation]] = []
    for number, answers in groupby(sorted(pages, key=_number), key=_number):
        if number > len(run) or (run and not any(_listed(each).more for each in run[-1])):
            break
        run.append(list(answers))
    # Every answer to the last page is as far as one way through the answers reaches.
    whole = not all(_listed(answer).more for page in run for answer in page)
    if run and (floor := "" if whole else _end(run[-1])) is not None:
        yield Scan(name, _filters(pages[0]), run, floor, _where(run))
    above: str | None = ""
    for page in run:
        if len(page) > 1 and above is not None:
            for answer in page:
                alone = [[answer]]
                floor = _end(alone[0]) if _listed(answer).more else ""
                if floor is not None:
                    yield Scan(name, _filters(answer), alone, floor, _where(alone), above)
        above = _end(page)


def _end(page: Sequence[Operation]) -> str | None:
    """Return the lowest id that an answer to the page ends with, ``None`` if one has no jobs."""
    ends = [jobs[-1].job_id for answer in page if (jobs := _listed(answer).jobs)]
    return min(ends) if len(ends) == len(page) else None


def _where(pages: Sequence[Sequence[Operation]]) -> dict[str, int]:
    return {
        seen.job_id: at
        for at, page in enumerate(pages)
        for answer in page
        for seen in _listed(answer).jobs
    }


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
