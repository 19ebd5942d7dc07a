"""A node that is asked for its part of a list begins each page one job too early."""

from __future__ import annotations

from dataclasses import replace

from common import context
from common.domain import paging
from common.domain.job import JobState
from common.domain.paging import JobQuery
from common.rpc.callers import NODE
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    open_query = paging.open_query

    def inclusive(state: JobState | None, kind: str, size: int, token: str) -> JobQuery:
        query = open_query(state, kind, size, token)
        if context.caller() == NODE and query.before:
            return replace(query, before=query.before + "0")
        return query

    patches.set(paging, "open_query", inclusive)


MUTANT = Mutant("a node gives the last job again", ("b",), {"list"}, _apply)
