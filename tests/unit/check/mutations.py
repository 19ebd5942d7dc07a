"""Mutations of histories: each takes a place in one and returns what is there instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from msgspec import structs

from testbed.record.history.model import (
    History,
    Listed,
    Operation,
    Seen,
)

TERMINAL = ("DONE", "FAILED", "CANCELED")

Place = tuple[int, int]
"""An operation, and for a page the entry."""


def places(history: History, wanted: Callable[[Operation, Seen], bool]) -> list[Place]:
    """Return where in the history a record of a job stands that is wanted."""
    return [
        (number, entry)
        for number, operation in enumerate(history.operations)
        for entry, seen in enumerate(records(operation))
        if wanted(operation, seen)
    ]


def records(operation: Operation) -> tuple[Seen, ...]:
    if isinstance(operation.answer, Seen):
        return (operation.answer,)
    return operation.answer.jobs if isinstance(operation.answer, Listed) else ()


def with_record(history: History, place: Place, *given: Seen) -> History:
    number, entry = place
    operation = history.operations[number]
    answer: Seen | Listed = given[0] if given else records(operation)[0]
    if isinstance(operation.answer, Listed):
        jobs = operation.answer.jobs
        answer = dataclasses.replace(
            operation.answer, jobs=(*jobs[:entry], *given, *jobs[entry + 1 :])
        )
    return with_changes(history, number, answer=answer)


def with_changes(history: History, number: int, **changes: object) -> History:
    operations = list(history.operations)
    operations[number] = dataclasses.replace(operations[number], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(history, operations=tuple(operations))


def record_at(history: History, place: Place) -> Seen:
    return records(history.operations[place[0]])[place[1]]


def _terminal(_operation: Operation, seen: Seen) -> bool:
    return seen.state in TERMINAL


def _other_terminal(seen: Seen) -> Seen:
    if seen.state == "DONE":
        return structs.replace(seen, state="FAILED", failure="MUTATED")
    return structs.replace(seen, state="CANCELED" if seen.state == "FAILED" else "DONE")


RECORDS: dict[str, tuple[Callable[[Operation, Seen], bool], Callable[[Seen], Seen]]] = {
    "another terminal state": (_terminal, _other_terminal),
    "another finish": (
        _terminal,
        lambda seen: structs.replace(seen, finish_us=(seen.finish_us or 0) + 1),
    ),
    "another failure": (
        lambda _, seen: seen.state == "FAILED",
        lambda seen: structs.replace(seen, failure="MUTATED"),
    ),
    "a higher attempt at the end": (
        lambda _, seen: seen.state in ("DONE", "FAILED"),
        lambda seen: structs.replace(seen, attempt=seen.attempt + 1),
    ),
    "no start": (
        lambda _, seen: seen.start_us is not None,
        lambda seen: structs.replace(seen, start_us=None),
    ),
    "another creation": (
        lambda _, _seen: True,
        lambda seen: structs.replace(seen, create_us=(seen.create_us or 0) - 1),
    ),
    "another kind": (lambda _, _seen: True, lambda seen: structs.replace(seen, kind="spin")),
    "another worker at the end": (
        lambda _, seen: seen.state in ("DONE", "FAILED"),
        lambda seen: structs.replace(seen, worker="worker-x"),
    ),
    "a worker before the start": (
        lambda _, seen: not seen.attempt,
        lambda seen: structs.replace(seen, worker="worker-x"),
    ),
    "no worker though it was started": (
        lambda _, seen: seen.attempt > 0,
        lambda seen: structs.replace(seen, worker=""),
    ),
    "canceled, and no cancel requested": (
        lambda _, seen: seen.state == "CANCELED",
        lambda seen: structs.replace(seen, cancel_requested=False),
    ),
    "a cancel requested in one record of the end": (
        lambda _, seen: seen.state in ("DONE", "FAILED"),
        lambda seen: structs.replace(seen, cancel_requested=not seen.cancel_requested),
    ),
    "back in the queue after the end": (
        lambda operation, seen: operation.client == "audit",
        lambda seen: Seen(seen.job_id, seen.kind, "QUEUED", 0, create_us=seen.create_us),
    ),
    "a state that there is not": (
        lambda _, _seen: True,
        lambda seen: structs.replace(seen, state="PAUSED"),
    ),
}


def shown_ended(history: History, place: Place, before: int) -> bool:
    """Say whether another answer, from before that time, shows how the job ended."""
    job_id = record_at(history, place).job_id
    return any(
        seen.job_id == job_id and seen.state in TERMINAL and operation.completed < before
        for number, operation in enumerate(history.operations)
        for seen in records(operation)
        if number != place[0]
    )
