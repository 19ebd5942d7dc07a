"""What one file of a history holds: its lines put together to operations and faults."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from testbed.record.damage import nested_too_deep
from testbed.record.history import lines, older
from testbed.record.history.lines import Damaged, EventLine, Head, needed
from testbed.record.history.model import (
    IDS_BY_HOME,
    OPEN_END,
    CallOutcome,
    FaultEvent,
    LostJobs,
    Operation,
)

_decode = msgspec.json.Decoder(EventLine).decode
_encode = msgspec.json.Encoder().encode
# Half of a pair: no text holds it, so nothing could print or write what is read here.
_SURROGATE = re.compile("[\ud800-\udfff]")
_Invoked = tuple[int, str, str, str, lines.Asked, int]
"""The first fields of an operation."""


class HistoryPart:
    """What one file holds, taken in line by line. Ids are those of the file.

    ``closed`` says that its writer came to the end and wrote so.
    """

    def __init__(self) -> None:
        self.head: Head | None = None
        self.done: list[Operation] = []
        self.open: dict[int, _Invoked] = {}
        self.faults: dict[int, FaultEvent] = {}
        self.closed = False
        self._number = 1
        self._ids: set[int] = set()
        self._events: Mapping[str, Callable[[int, int, EventLine], None]] = {
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
        if number == 1:
            self.head = _head(line)
            return
        self._number = number
        if (event := _event(line)) is None:
            return
        for name, take in self._events.items():
            if (value := getattr(event, name)) is not UNSET:
                take(event.t, value, event)
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

    def _new(self, identity: int) -> None:
        if identity in self._ids or identity < 0:
            raise Damaged(f"id {identity} is not new, or negative")
        self._ids.add(identity)

    def _invoke(self, time: int, identity: int, line: EventLine) -> None:
        self._new(identity)
        call = needed(line.call, "call")
        self.open[identity] = (
            identity,
            needed(line.client, "client"),
            needed(line.at, "at"),
            call,
            lines.read_asked(call, line),
            time,
        )

    def _ok(self, time: int, identity: int, line: EventLine) -> None:
        asked = self._ended(time, identity)
        answer = lines.read_answer(asked[3], line)
        self.done.append(Operation(*asked, time, CallOutcome.OK, answer))

    def _failed(self, time: int, identity: int, line: EventLine) -> None:
        asked = self._ended(time, identity)
        self.done.append(
            Operation(
                *asked,
                completed=time,
                outcome=CallOutcome.INDEFINITE if line.fail is UNSET else CallOutcome.FAIL,
                code=needed(line.code, "code"),
                reason=line.reason or "",
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

    def _fault(self, time: int, identity: int, line: EventLine) -> None:
        self._new(identity)
        self.faults[identity] = FaultEvent(
            identity,
            needed(line.kind, "kind"),
            line.targets or (),
            time,
            lost_state=line.lost_state or (),
            details={name: str(value) for name, value in (line.details or {}).items()},
            lost_jobs=self._lost_jobs(line),
        )

    def _lost_jobs(self, line: EventLine) -> LostJobs:
        if line.lost_jobs is not UNSET:
            return line.lost_jobs
        design = self.head.design if self.head else ""
        return older.lost_jobs(design, line.lost_state or ())

    def _healed(self, time: int, identity: int, line: EventLine) -> None:  # noqa: ARG002
        fault = self.faults.get(identity)
        if fault is None or fault.ended < OPEN_END:
            raise Damaged(f"fault {identity} is healed, but none of that id is under way")
        if time < fault.begun:
            raise Damaged(f"fault {identity} is healed before it began")
        self.faults[identity] = dataclasses.replace(fault, ended=time)

    def _end(self, time: int, count: int, line: EventLine) -> None:  # noqa: ARG002
        if count != self._number - 1:
            raise Damaged(f"ends a history of {count} lines, of which {self._number - 1} are here")
        self.closed = True


def _head(line: bytes) -> Head | None:
    """Return the head, ``None`` if the file ends within it."""
    fields = _checked(line)
    if fields is None:
        return None
    if "format" not in fields:
        raise Damaged("is no head: it has no 'format'")
    try:
        head = msgspec.convert(fields, Head)
    except msgspec.ValidationError as error:
        raise Damaged(str(error)) from None
    if head.format != lines.FORMAT:
        raise Damaged(f"has format {head.format!r}, not {lines.FORMAT}")
    if "ids" not in fields:
        head.ids = older.ids_of(head.design)
    if head.ids not in {"", IDS_BY_HOME}:
        raise Damaged(f"has ids {head.ids!r:.40}, not {IDS_BY_HOME!r}")
    return head


def _event(line: bytes) -> EventLine | None:
    """Return a line, ``None`` if the file ends within it.

    msgspec keeps the last of two fields of one name, and does not look into those that it does not
    know. A line that it would write in the same way has neither, and any other is read again
    strictly.
    """
    problem = ""
    try:
        event = _decode(line)
        if _encode(event) == line[:-1] and not (event.details and nested_too_deep(event.details)):
            return event
    except ValueError as error:
        problem = str(error)
    if _checked(line) is None:
        return None
    if problem:
        raise Damaged(problem)
    return event


def _checked(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line if it says everything once and in text, ``None`` if it is cut."""
    try:
        fields = json.loads(line.decode(), object_pairs_hook=_object)
    except Damaged:
        raise
    except ValueError as error:
        if not line.endswith(b"\n"):
            return None
        raise Damaged(f"is no JSON: {error}") from None
    if type(fields) is not dict:
        raise Damaged("is no JSON object")
    if nested_too_deep(fields):
        raise RecursionError
    if b"\\u" in line and _SURROGATE.search(json.dumps(fields, ensure_ascii=False)):
        raise Damaged("holds half of a surrogate pair, which is no text")
    return fields


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object, unless it says one thing twice: nobody knows then which of them holds."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        raise Damaged(f"has {next(each for each in names if names.count(each) > 1)!r} twice")
    return fields
