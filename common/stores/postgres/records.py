"""Rows of the jobs table as records, and what may be in a statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from common.domain.job import Failure, Job, JobState

T = TypeVar("T")


def job_of(row: Any) -> Job:
    """Return the record of a row."""
    reason = row["reason"]
    return Job(
        row["id"],
        row["kind"],
        JobState(row["state"]),
        row["created"],
        row["attempt"],
        row["started"],
        row["finished"],
        row["worker"],
        None if reason is None else Failure(reason, row["message"]),
        row["cancel"],
    )


def before_of(row: Any, canceled: bool = False) -> Job:
    """Return what a record was before the step that it has just taken: a cancel, or another one.

    Of an execution that another replaced only that it was one is known.
    """
    after = job_of(row)
    if canceled and after.state is JobState.RUNNING:
        return replace(after, cancel_requested=False)
    waited = not row["again"] if after.state is JobState.RUNNING else after.start_time is None
    if waited:
        return Job(after.id, after.kind, JobState.QUEUED, after.create_time)
    if after.state is JobState.RUNNING:
        return after
    return replace(after, state=JobState.RUNNING, finish_time=None, failure=None)


def text(value: str) -> str:
    """Return a text as PostgreSQL can hold it: without a character 0."""
    return value.replace("\0", "\ufffd") if "\0" in value else value


def rounds(items: Sequence[T], keys_of: Callable[[T], Sequence[str]]) -> Iterator[list[T]]:
    """Split items into rounds in which no key is twice, in order; hardly ever more than one."""
    left = list(items)
    while left:
        seen: set[str] = set()
        some, later = [], []
        for item in left:
            keys = keys_of(item)
            if seen.isdisjoint(keys):
                some.append(item)
            else:
                later.append(item)
            seen.update(keys)
        yield some
        left = later
