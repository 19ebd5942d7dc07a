"""A listing shows what it was asked for, in order, and leaves nothing out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from testbed.check.index import Index
from testbed.check.rules._present import Present
from testbed.check.rules._scans import Scan, scans_of
from testbed.check.verdict import Finding, Rule
from testbed.record.history.model import Listed, Operation, Page, Seen

_DEFAULT_PAGE_SIZE = 50
_MAX_PAGE_SIZE = 1000


def _find(index: Index) -> Iterator[Finding]:
    scans: list[Scan] = []
    for (client, name), pages in index.scans.items():
        if not name:
            yield from _wrong_alone(client, pages)
            continue
        finding = _first_wrong(name, pages)
        if finding is not None:
            yield finding
        if finding is None:
            scans += scans_of(name, pages)
    yield from _incomplete(index, scans)


def _wrong_alone(client: str, pages: Sequence[Operation]) -> Iterator[Finding]:
    """Judge pages of which nobody knows what came before them: each by itself."""
    for page in pages:
        if problem := _wrong(page):
            yield Finding(f"a page for {client}", problem, (page,))


def _first_wrong(name: str, pages: Sequence[Operation]) -> Finding | None:
    for page in pages:
        if problem := _wrong(page):
            return Finding(name, problem, (page,))
    return _wrong_order(name, pages)


def _wrong(operation: Operation) -> str:
    """Say what is wrong with a page by itself."""
    page, listed = operation.asked, operation.answer
    assert isinstance(page, Page)
    assert isinstance(listed, Listed)
    limit = min(page.page_size, _MAX_PAGE_SIZE) or _DEFAULT_PAGE_SIZE
    if len(listed.jobs) > limit:
        return f"has {len(listed.jobs)} jobs on a page of {limit}"
    last = ""
    for seen in listed.jobs:
        if last and seen.job_id >= last:
            return f"has {seen.job_id} after {last}, not newest first"
        last = seen.job_id
        if (page.state and seen.state != page.state) or (page.kind and seen.kind != page.kind):
            wanted = f"{page.state} {page.kind}".strip()
            return f"has {seen.job_id}, {seen.state} {seen.kind}, in a list of {wanted}"
    return ""


def _wrong_order(name: str, pages: Sequence[Operation]) -> Finding | None:
    """Return the answers of two pages of which the later does not go on below the earlier.

    A page that was asked for again has several answers. The next one goes on below one of them,
    so it lies below the highest of their ends.
    """
    above = ""
    before: tuple[Operation, ...] = ()
    for _, answers in groupby(sorted(pages, key=_number), key=_number):
        page = tuple(answers)
        for answer in page:
            first = _jobs(answer)[0].job_id if _jobs(answer) else ""
            if above and first >= above:
                text = f"has {first} on a page after {above}, not newest first or twice"
                return Finding(name, text, (*before, answer))
        if all(_jobs(answer) for answer in page):
            above, before = max(_jobs(answer)[-1].job_id for answer in page), page
    return None


def _jobs(page: Operation) -> tuple[Seen, ...]:
    assert isinstance(page.answer, Listed)
    return page.answer.jobs


def _number(page: Operation) -> int:
    assert isinstance(page.asked, Page)
    return page.asked.number


def _incomplete(index: Index, scans: Sequence[Scan]) -> Iterator[Finding]:
    """Look in each scan for the jobs that were there, and matched, from before its first page.

    The scans are walked in the order of their begin, beside the jobs in the order in which they
    became known; what a scan costs is the number of jobs that it lists, and one more.
    """
    present = Present(index, {scan.filters for scan in scans})
    accused: set[tuple[str, str]] = set()
    for scan in sorted(scans, key=lambda scan: scan.begun):
        present.advance(scan.begun)
        missing = None if scan.listing in accused else present.missing(scan)
        if missing is not None:
            accused.add(scan.listing)
            job_id, since = missing
            later = () if since.until is None else (since.until,)
            text = f"leaves out {job_id}, which was there all the time"
            yield Finding(scan.name, text, (since.shown, *scan.around(job_id), *later))


RULE = Rule("list", "A listing is in order, obeys its filters and has each job once", _find)
