"""A page has one job more than was asked for."""

from __future__ import annotations

from dataclasses import replace

from common.domain import paging
from common.domain.job import Job
from common.domain.paging import JobPage, JobQuery
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    close_page = paging.close_page

    def longer(query: JobQuery, newest: list[Job]) -> JobPage:
        page = close_page(query, newest)
        return replace(page, jobs=tuple(newest[: query.limit + 1]))

    patches.set(paging, "close_page", longer)


MUTANT = Mutant("a page is one job too long", ("a",), {"list"}, _apply)
