"""The merge of the nodes' pages goes on after the last job that it has seen, not that it gave."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain import paging
from common.domain.paging import JobPage, JobQuery
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    merge = paging.merge_pages

    def skipping(query: JobQuery, pages: Sequence[JobPage]) -> JobPage:
        page = merge(query, pages)
        if not page.next_page_token:
            return page
        last = min(job.id for each in pages for job in each.jobs)
        return JobPage(page.jobs, paging._write_token(last, query.state, query.kind))

    patches.set(paging, "merge_pages", skipping)


MUTANT = Mutant("the next page skips what other nodes gave", ("b",), {"list"}, _apply)
