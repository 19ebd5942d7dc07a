"""The lines of a history file, and the model's values: each way, in one place.

A value that is a default is left out of its line. ``docs/histories.md`` has the format in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, Final

from testbed.record.history.model import OPEN_END, Listed, Page, Result, Seen, Submitted

FORMAT = 1
MOST: Final = 1 << 63
LEAST: Final = -MOST
SUBMIT: Final = "SubmitJob"
STATUS: Final = "GetJobStatus"
RESULT: Final = "GetJobResult"
CANCEL: Final = "CancelJob"
LIST: Final = "ListJobs"

Asked = Submitted | Page | str
Answer = str | Seen | Result | Listed
Fields = Mapping[str, Any]


class Damaged(ValueError):
    """A line does not hold what its place demands; the message says what is wrong."""


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
    """Return the fields that say what a call was answered."""
    if isinstance(answer, str):
        return {"job": answer}
    if isinstance(answer, Seen):
        return {"seen": _write_seen(answer)}
    if isinstance(answer, Listed):
        return {"jobs": [_write_seen(each) for each in answer.jobs], "more": answer.more}
    fields = {"state": answer.state, "digest": answer.digest}
    return {"result": {**fields, "failure": answer.failure} if answer.failure else fields}


def _write_seen(seen: Seen) -> dict[str, Any]:
    fields: dict[str, Any] = {"job": seen.job_id, "kind": seen.kind, "state": seen.state}
    if seen.attempt:
        fields["attempt"] = seen.attempt
    if seen.worker:
        fields["worker"] = seen.worker
    if seen.create_us is not None:
        fields["create_us"] = seen.create_us
    if seen.start_us is not None:
        fields["start_us"] = seen.start_us
    if seen.finish_us is not None:
        fields["finish_us"] = seen.finish_us
    if seen.failure:
        fields["failure"] = seen.failure
    if seen.cancel_requested:
        fields["cancel_requested"] = True
    return fields


def read_asked(call: str, line: Fields) -> Asked:
    """Return what a call was asked. Raises :class:`Damaged`."""
    if call == SUBMIT:
        return Submitted(
            text(line, "kind"),
            text(line, "digest"),
            text(line, "request_id", ""),
            text(line, "output", ""),
        )
    if call == LIST:
        return Page(
            text(line, "scan", ""),
            whole(line, "number", 0),
            text(line, "state", ""),
            text(line, "kind", ""),
            whole(line, "page_size", 0),
        )
    if call not in _READERS:
        raise Damaged(f"{call!r} is no call of the contract: {', '.join(_READERS)}")
    return text(line, "job")


def read_answer(call: str, line: Fields) -> Answer:
    """Return what a call was answered. Raises :class:`Damaged`."""
    return _READERS[call](line)


def text(line: Fields, name: str, default: str | None = None) -> str:
    """Return a field that is text. Raises :class:`Damaged`."""
    value = line.get(name, default)
    if type(value) is not str:
        raise Damaged(_problem(line, name, "text"))
    return value


def whole(line: Fields, name: str, default: int | None = None) -> int:
    """Return a field that is a whole number of 64 bits. Raises :class:`Damaged`."""
    value = line.get(name, default)
    if type(value) is not int or not LEAST < value < MOST:
        raise Damaged(_problem(line, name, "a whole number of at most 64 bits"))
    return value


def moment(line: Fields, name: str) -> int:
    """Return a field that is a time of the history's clock. Raises :class:`Damaged`."""
    value = whole(line, name)
    if not 0 <= value < OPEN_END:
        raise Damaged(_problem(line, name, "a time of a clock"))
    return value


def _problem(line: Fields, name: str, what: str) -> str:
    if name not in line:
        return f"{name!r} is missing"
    return f"{name!r} is {line[name]!r:.40}, not {what}"


def _part(line: Fields, name: str) -> Fields:
    value = line.get(name)
    if type(value) is not dict:
        raise Damaged(_problem(line, name, "an object"))
    return value


def _time(line: Fields, name: str) -> int | None:
    value = line.get(name)
    return None if value is None else whole(line, name)


def _truth(line: Fields, name: str) -> bool:
    value = line.get(name, False)
    if type(value) is not bool:
        raise Damaged(_problem(line, name, "true or false"))
    return value


def _read_seen(line: Fields) -> Seen:
    """Read a record. There are many of them, so one that is in order is read without calls."""
    get = line.get
    values: tuple[Any, ...] = (
        get("job"),
        get("kind"),
        get("state"),
        get("attempt", 0),
        get("worker", ""),
        get("create_us"),
        get("start_us"),
        get("finish_us"),
        get("failure", ""),
        get("cancel_requested", False),
    )
    if tuple(map(type, values)) in _IN_ORDER and _all_small(values[3], *values[5:8]):
        return Seen(*values)
    return Seen(
        text(line, "job"),
        text(line, "kind"),
        text(line, "state"),
        whole(line, "attempt", 0),
        text(line, "worker", ""),
        _time(line, "create_us"),
        _time(line, "start_us"),
        _time(line, "finish_us"),
        text(line, "failure", ""),
        _truth(line, "cancel_requested"),
    )


def _all_small(attempt: int, created: int | None, started: int | None, ended: int | None) -> bool:
    return (
        LEAST < attempt < MOST
        and (created is None or LEAST < created < MOST)
        and (started is None or LEAST < started < MOST)
        and (ended is None or LEAST < ended < MOST)
    )


_MAYBE = (int, type(None))
_IN_ORDER = frozenset(
    (str, str, str, int, str, *times, str, bool) for times in product(_MAYBE, repeat=3)
)


def _read_job(line: Fields) -> str:
    return text(line, "job")


def _read_status(line: Fields) -> Seen:
    return _read_seen(_part(line, "seen"))


def _read_result(line: Fields) -> Result:
    part = _part(line, "result")
    return Result(text(part, "state"), text(part, "digest"), text(part, "failure", ""))


def _read_listed(line: Fields) -> Listed:
    jobs = line.get("jobs")
    if type(jobs) is not list:
        raise Damaged(_problem(line, "jobs", "a list"))
    if any(type(each) is not dict for each in jobs):
        raise Damaged("'jobs' holds something that is no object")
    return Listed(tuple(map(_read_seen, jobs)), _truth(line, "more"))


_READERS: Mapping[str, Callable[[Fields], Answer]] = {
    SUBMIT: _read_job,
    STATUS: _read_status,
    RESULT: _read_result,
    CANCEL: _read_status,
    LIST: _read_listed,
}
