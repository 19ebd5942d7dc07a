"""Rows of the jobs table as records, and what may be in a statement."""

from __future__ import annotations

import json
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


def before_of(row: Any) -> Job:
    """Return what a record was before the transition that it has just taken."""
    after = job_of(row)
    if after.state is JobState.RUNNING and row["replaced"] is not None:
        old = json.loads(row["replaced"])
        return replace(
            after, attempt=old["attempt"], start_time=old["started"], worker=old["worker"]
        )
    if after.state is JobState.RUNNING or after.start_time is None:
        return _waiting(after)
    return replace(after, state=JobState.RUNNING, finish_time=None, failure=None)


def uncanceled(after: Job) -> Job:
    """Return what a record was before the cancel that it has just been given."""
    return _waiting(after) if after.state.terminal else replace(after, cancel_requested=False)


def _waiting(job: Job) -> Job:
    return Job(job.id, job.kind, JobState.QUEUED, job.create_time)


def text(value: str) -> str:
    """Return a text as PostgreSQL can hold it: without a character 0."""
    return value.replace("\0", "\ufffd") if "\0" in value else value


def runs(items: Sequence[T], keys_of: Callable[[T], Sequence[str]]) -> Iterator[list[T]]:
    """Split items, in their order, into runs without a key twice; hardly ever more than one."""
    run: list[T] = []
    seen: set[str] = set()
    for item in items:
        keys = keys_of(item)
        if not seen.isdisjoint(keys):
            yield run
            run, seen = [], set()
        run.append(item)
        seen.update(keys)
    if run:
        yield run
