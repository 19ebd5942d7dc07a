"""A page's token names the job before its last one, so the next page begins with that again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from common.domain import paging
from common.domain.paging import JobPage, JobQuery
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    patches.set(paging, "close_page", _off_by_one(paging.close_page))
    patches.set(paging, "merge_pages", _off_by_one(paging.merge_pages))


def _off_by_one(make: Callable[[JobQuery, Any], JobPage]) -> Callable[[JobQuery, Any], JobPage]:
    def made(query: JobQuery, found: Any) -> JobPage:
        page = make(query, found)
        if not page.next_page_token or len(page.jobs) < 2:
            return page
        token = paging._write_token(page.jobs[-2].id, query.state, query.kind)
        return JobPage(page.jobs, token)

    return made


MUTANT = Mutant("the next page repeats a job", ("a", "b"), {"list"}, _apply)
