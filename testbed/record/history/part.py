"""What one file of a history holds: its lines put together to operations and faults."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from testbed.record.history import lines, older
from testbed.record.history.lines import Asked, Damaged, moment, text, whole
from testbed.record.history.model import (
    ALL_JOBS,
    IDS_BY_HOME,
    OPEN_END,
    FaultEvent,
    LostJobs,
    Operation,
    Outcome,
)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object, unless it says one thing twice: nobody knows then which of them holds."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        raise Damaged(f"has {next(each for each in names if names.count(each) > 1)!r} twice")
    return fields


# Faster than json.loads, which looks for white space at both ends.
_decode = json.JSONDecoder(object_pairs_hook=_object).raw_decode
# Half of a pair: no text holds it, so nothing could print or write what is read here.
_SURROGATE = re.compile("[\ud800-\udfff]")
_Invoked = tuple[int, str, str, str, Asked, int]
"""The first fields of an operation."""


class HistoryPart:
    """What one file holds, taken in line by line. Ids are those of the file.

    ``closed`` says that its writer came to the end and wrote so.
    """

    def __init__(self) -> None:
        self.head: Mapping[str, Any] = {}
        self.done: list[Operation] = []
        self.open: dict[int, _Invoked] = {}
        self.faults: dict[int, FaultEvent] = {}
        self.closed = False
        self._number = 1
        self._ids: set[int] = set()
        self._events: Mapping[str, Callable[[int, int, Mapping[str, Any]], None]] = {
            "ok": self._ok,
            "invoke": self._invoke,
            "fail": self._failed,
            "info": self._failed,
            "fault": self._fault,
            "healed": self._healed,
            "end": self._end,
        }

    def take(self, number: int, line: bytes) -> None:
        """Take in a line. Raises :class:`Damaged`."""
        if self.closed:
            raise Damaged("follows the end of the history")
        fields = _fields(line)
        if fields is None:
            return
        if number == 1:
            self._take_head(fields)
            return
        self._number = number
        for name, take in self._events.items():
            if name in fields:
                take(moment(fields, "t"), whole(fields, name), fields)
                return
        raise Damaged(f"is no event: it has none of {', '.join(self._events)}")

    @property
    def last(self) -> int:
        """The highest id."""
        return max(self._ids, default=0)

    def operations(self, base: int) -> Iterator[Operation]:
        """Iterate over the operations with ids that begin above ``base``."""
        for each in (*self.done, *(Operation(*invoked) for invoked in self.open.values())):
            yield dataclasses.replace(each, id=each.id + base) if base else each

    def _take_head(self, fields: Mapping[str, Any]) -> None:
        if "format" not in fields:
            raise Damaged("is no head: it has no 'format'")
        if whole(fields, "format") != lines.FORMAT:
            raise Damaged(f"has format {fields['format']!r}, not {lines.FORMAT}")
        design = text(fields, "design")
        text(fields, "boot", "")
        whole(fields, "unix_us")
        whole(fields, "clock_us")
        ids = text(fields, "ids", older.ids_of(design))
        if ids not in {"", IDS_BY_HOME}:
            raise Damaged(f"has ids {ids!r:.40}, not {IDS_BY_HOME!r}")
        self.head = {**fields, "ids": ids}

    def _new(self, identity: int) -> None:
        if identity in self._ids or identity < 0:
            raise Damaged(f"id {identity} is not new, or negative")
        self._ids.add(identity)

    def _invoke(self, time: int, identity: int, line: Mapping[str, Any]) -> None:
        self._new(identity)
        call = text(line, "call")
        self.open[identity] = (
            identity,
            text(line, "client"),
            text(line, "at"),
            call,
            lines.read_asked(call, line),
            time,
        )

    def _ok(self, time: int, identity: int, line: Mapping[str, Any]) -> None:
        asked = self._ended(time, identity)
        answer = lines.read_answer(asked[3], line)
        self.done.append(Operation(*asked, time, Outcome.OK, answer))

    def _failed(self, time: int, identity: int, line: Mapping[str, Any]) -> None:
        asked = self._ended(time, identity)
        self.done.append(
            Operation(
                *asked,
                completed=time,
                outcome=Outcome.FAIL if "fail" in line else Outcome.INDEFINITE,
                code=text(line, "code"),
                reason=text(line, "reason", ""),
            )
        )

    def _ended(self, time: int, identity: int) -> _Invoked:
        asked = self.open.pop(identity, None)
        if asked is None:
            raise Damaged(f"call {identity} ends, but none of that id is under way")
        invoked = asked[-1]
        if time < invoked:
            raise Damaged(f"call {identity} ends {invoked - time} us before it began")
        return asked

    def _fault(self, time: int, identity: int, line: Mapping[str, Any]) -> None:
        self._new(identity)
        details = line.get("details", {})
        if type(details) is not dict:
            raise Damaged("'details' is not an object")
        self.faults[identity] = FaultEvent(
            identity,
            text(line, "kind"),
            _texts(line, "targets"),
            time,
            lost_state=_texts(line, "lost_state"),
            details={name: str(value) for name, value in details.items()},
            lost_jobs=self._lost_jobs(line),
        )

    def _lost_jobs(self, line: Mapping[str, Any]) -> LostJobs:
        if "lost_jobs" not in line:
            return older.lost_jobs(self.head["design"], _texts(line, "lost_state"))
        value = line["lost_jobs"]
        if value == ALL_JOBS:
            return ALL_JOBS
        if type(value) is not list or not all(map(_is_home, value)):
            raise Damaged(f"'lost_jobs' is {value!r:.40}, not {ALL_JOBS!r} or a list of homes")
        return tuple(value)

    def _healed(self, time: int, identity: int, line: Mapping[str, Any]) -> None:  # noqa: ARG002
        fault = self.faults.get(identity)
        if fault is None or fault.ended < OPEN_END:
            raise Damaged(f"fault {identity} is healed, but none of that id is under way")
        if time < fault.begun:
            raise Damaged(f"fault {identity} is healed before it began")
        self.faults[identity] = dataclasses.replace(fault, ended=time)

    def _end(self, time: int, count: int, line: Mapping[str, Any]) -> None:  # noqa: ARG002
        if count != self._number - 1:
            raise Damaged(f"ends a history of {count} lines, of which {self._number - 1} are here")
        self.closed = True


def _fields(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line, ``None`` if the file ends within it."""
    try:
        content = line.decode()
        fields, end = _decode(content)
    except Damaged:
        raise
    except ValueError as error:
        if not line.endswith(b"\n"):
            return None
        raise Damaged(f"is no JSON: {error}") from None
    rest = content[end:]
    if rest != "\n" and rest.strip():
        raise Damaged(f"is no JSON: there is more after the object: {rest!r:.40}")
    if type(fields) is not dict:
        raise Damaged("is no JSON object")
    if b"\\u" in line and _SURROGATE.search(json.dumps(fields, ensure_ascii=False)):
        raise Damaged("holds half of a surrogate pair, which is no text")
    return fields


def _is_home(value: object) -> bool:
    return type(value) is int and 0 <= value < lines.MOST


def _texts(line: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = line.get(name, [])
    if type(values) is not list or any(type(value) is not str for value in values):
        raise Damaged(f"{name!r} is {values!r:.40}, not a list of text")
    return tuple(values)
