"""The lines of a history file, and the model's values: each way, in one place.

A value that is a default is left out of its line. ``docs/histories.md`` has the format in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from testbed.record.history.model import (
    OPEN_END,
    Listed,
    LostJobs,
    Page,
    Result,
    Seen,
    Submitted,
    Whole,
)

FORMAT = 1
SUBMIT: Final = "SubmitJob"
STATUS: Final = "GetJobStatus"
RESULT: Final = "GetJobResult"
CANCEL: Final = "CancelJob"
LIST: Final = "ListJobs"

Asked = Submitted | Page | str
Answer = str | Seen | Result | Listed
Value = TypeVar("Value")


class Damaged(ValueError):
    """A line does not hold what its place demands; the message says what is wrong."""


class Head(Struct):
    """The first line."""

    format: int
    design: str
    unix_us: Whole
    clock_us: Whole
    ids: str = ""
    boot: str = ""
    retention_us: Annotated[int, Meta(ge=0, lt=OPEN_END)] = 0


class EventLine(Struct):
    """Any other line: the fields of all events and calls, in the order in which they are written.

    ``t`` is a time of the history's clock. What a line does not have is ``UNSET``, which is false.
    """

    t: Annotated[int, Meta(ge=0, lt=OPEN_END)]
    ok: Whole | UnsetType = UNSET
    invoke: Whole | UnsetType = UNSET
    fail: Whole | UnsetType = UNSET
    info: Whole | UnsetType = UNSET
    fault: Whole | UnsetType = UNSET
    healed: Whole | UnsetType = UNSET
    end: Whole | UnsetType = UNSET
    client: str | UnsetType = UNSET
    at: str | UnsetType = UNSET
    call: str | UnsetType = UNSET
    job: str | UnsetType = UNSET
    seen: Seen | UnsetType = UNSET
    result: Result | UnsetType = UNSET
    jobs: tuple[Seen, ...] | UnsetType = UNSET
    more: bool | UnsetType = UNSET
    scan: str | UnsetType = UNSET
    number: Whole | UnsetType = UNSET
    state: str | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    digest: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    output: str | UnsetType = UNSET
    page_size: Whole | UnsetType = UNSET
    code: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    targets: tuple[str, ...] | UnsetType = UNSET
    lost_state: tuple[str, ...] | UnsetType = UNSET
    lost_jobs: LostJobs | UnsetType = UNSET
    details: dict[str, Any] | UnsetType = UNSET


def needed(value: Value | UnsetType, name: str) -> Value:
    """Return a field that a line must have. Raises :class:`Damaged`."""
    if value is UNSET:
        raise Damaged(f"{name!r} is missing")
    return value


def write_asked(asked: Asked) -> dict[str, Any]:
    """Return the fields that say what a call was asked."""
    if isinstance(asked, str):
        return {"job": asked}
    if isinstance(asked, Submitted):
        fields = {"kind": asked.kind, "digest": asked.digest}
        optional = {"request_id": asked.request_id, "output": asked.output}
        return fields | {name: value for name, value in optional.items() if value}
    filters = {"state": asked.state, "kind": asked.kind, "page_size": asked.page_size}
    given = {name: value for name, value in filters.items() if value}
    place = {"scan": asked.scan, "number": asked.number} if asked.scan else {}
    return {**place, **given}


def write_answer(answer: Answer) -> dict[str, Any]:
    """Return the fields that say what a call was answered; msgspec can encode them."""
    if isinstance(answer, str):
        return {"job": answer}
    if isinstance(answer, Seen):
        return {"seen": answer}
    if isinstance(answer, Listed):
        return {"jobs": answer.jobs, "more": answer.more}
    return {"result": answer}


def read_asked(call: str, line: EventLine) -> Asked:
    """Return what a call was asked. Raises :class:`Damaged`."""
    if call == SUBMIT:
        return Submitted(
            needed(line.kind, "kind"),
            needed(line.digest, "digest"),
            line.request_id or "",
            line.output or "",
        )
    if call == LIST:
        return Page(
            line.scan or "",
            line.number or 0,
            line.state or "",
            line.kind or "",
            line.page_size or 0,
        )
    if call not in _READERS:
        raise Damaged(f"{call!r} is no call of the contract: {', '.join(_READERS)}")
    return needed(line.job, "job")


def read_answer(call: str, line: EventLine) -> Answer:
    """Return what a call was answered. Raises :class:`Damaged`."""
    return _READERS[call](line)


_READERS: Mapping[str, Callable[[EventLine], Answer]] = {
    SUBMIT: lambda line: needed(line.job, "job"),
    STATUS: lambda line: needed(line.seen, "seen"),
    RESULT: lambda line: needed(line.result, "result"),
    CANCEL: lambda line: needed(line.seen, "seen"),
    LIST: lambda line: Listed(needed(line.jobs, "jobs"), line.more or False),
}
