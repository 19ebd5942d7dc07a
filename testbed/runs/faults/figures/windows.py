"""When a drive began and ended, and which time and which calls belong to which fault."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from common.topology import role_of
from testbed.record.history.model import OPEN_END, FaultEvent, History, Operation
from testbed.runs.faults.figures.model import AUDIT, MeasuredFault

ARROW = ">"


@dataclass(frozen=True, slots=True)
class DriveWindow:
    """From the first call of the load to the end of its last, the audit left out."""

    begun: int
    ended: int

    def clip(self, moment: int) -> int:
        """Return the moment, or the end of the drive that lies nearer."""
        return min(max(moment, self.begun), self.ended)


def driven(history: History) -> Iterator[Operation]:
    """Give the calls of the load."""
    return (each for each in history.operations if each.client != AUDIT)


def drive(history: History) -> DriveWindow:
    """Return when the load began and ended; without a call, when the faults did."""
    begun, ended = OPEN_END, 0
    for each in driven(history):
        begun = min(begun, each.invoked)
        ended = max(ended, each.invoked if each.completed >= OPEN_END else each.completed)
    if not ended:
        times = [time for each in history.faults for time in (each.begun, each.ended)]
        known = [time for time in times if time < OPEN_END] or [0]
        return DriveWindow(min(known), max(known))
    return DriveWindow(begun, ended)


def bare_faults(history: History, over: DriveWindow) -> list[MeasuredFault]:
    """Return the faults that began in the drive, in order, without any figure yet."""
    events = sorted(
        (each for each in history.faults if each.begun < over.ended),
        key=lambda each: (each.begun, each.id),
    )
    ends = [each.begun for each in events[1:]] + [over.ended] * bool(events)
    return [_bare(event, over, until) for event, until in zip(events, ends, strict=True)]


def _bare(event: FaultEvent, over: DriveWindow, until: int) -> MeasuredFault:
    return MeasuredFault(
        id=event.id,
        kind=event.kind,
        targets=event.targets,
        role=" ".join(dict.fromkeys(map(role, event.targets))),
        begun_us=event.begun,
        ended_us=max(event.begun, over.clip(event.ended)),
        until_us=max(event.begun, over.clip(until)),
        details=event.details,
    )


def role(target: str) -> str:
    """Return what a target is without its number: ``node>node`` of ``node-1>node-4``."""
    return ARROW.join(role_of(name) for name in target.split(ARROW))


class Met:
    """Finds the fault that a call met: the first that was on between its begin and its end."""

    def __init__(self, faults: Sequence[MeasuredFault]) -> None:
        self._begun = [each.begun_us for each in faults]
        # Of faults that overlap, the one that is over later hides the ends of those before it.
        self._ended = list(accumulate((each.ended_us for each in faults), max))

    def index(self, invoked: int, completed: int) -> int | None:
        """Return the place of the fault among those given, ``None`` if the call met none."""
        first = bisect_right(self._ended, invoked)
        if first < len(self._begun) and self._begun[first] <= completed:
            return first
        return None
