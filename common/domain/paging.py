"""Queries over the list of jobs, and the opaque tokens that continue them (AIP-158)."""

from __future__ import annotations

import base64
import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from common.domain import ids
from common.domain.errors import InvalidArgument, InvalidPageToken, MalformedJobId
from common.domain.job import Job, JobState

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs: ``None`` and the empty kind mean any; only those older than ``before``."""

    state: JobState | None = None
    kind: str = ""
    before: str = ""
    limit: int = DEFAULT_PAGE_SIZE


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs, newest first, and the token of the next page, empty at the end."""

    jobs: tuple[Job, ...]
    next_page_token: str


def open_query(state: JobState | None, kind: str, page_size: int, page_token: str) -> JobQuery:
    """Make a query of what a client asks.

    Raises :class:`InvalidArgument` for a negative page size and :class:`InvalidPageToken` for a
    token that is damaged or came from a query with other filters.
    """
    if page_size < 0:
        raise InvalidArgument("page_size", f"must not be negative, is {page_size}")
    limit = min(page_size, MAX_PAGE_SIZE) or DEFAULT_PAGE_SIZE
    before = _read_token(page_token, state, kind) if page_token else ""
    return JobQuery(state, kind, before, limit)


def close_page(query: JobQuery, newest: list[Job]) -> JobPage:
    """Cut a page from up to ``limit + 1`` jobs; the surplus one shows that there is a next page."""
    jobs = tuple(newest[: query.limit])
    more = len(newest) > query.limit
    return JobPage(jobs, _write_token(jobs[-1].id, query.state, query.kind) if more else "")


def merge_pages(query: JobQuery, pages: Sequence[JobPage]) -> JobPage:
    """Make one page of the pages that several homes gave for the same query."""
    newest = heapq.merge(*(page.jobs for page in pages), key=lambda job: job.id, reverse=True)
    gathered = list(newest)
    jobs = tuple(gathered[: query.limit])
    more = len(gathered) > query.limit or any(page.next_page_token for page in pages)
    return JobPage(jobs, _write_token(jobs[-1].id, query.state, query.kind) if more else "")


def _fingerprint(state: JobState | None, kind: str) -> bytes:
    return hashlib.sha256(f"v1:{state}:{kind}".encode()).digest()[:8]


def _write_token(last: str, state: JobState | None, kind: str) -> str:
    raw = _fingerprint(state, kind) + last.encode()
    return base64.urlsafe_b64encode(raw).decode()


def _read_token(token: str, state: JobState | None, kind: str) -> str:
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        last = raw[8:].decode()
        ids.check(last)
    except (ValueError, MalformedJobId):
        raise InvalidPageToken("page_token", "is damaged or no token of this service") from None
    if raw[:8] != _fingerprint(state, kind):
        raise InvalidPageToken("page_token", "belongs to a query with other filters")
    return last
