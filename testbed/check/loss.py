"""State loss: which jobs a fault may take with the memory of a process."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from common.domain import ids
from common.domain.errors import MalformedJobId
from testbed.record.history.model import OPEN_END, FaultEvent

# The processes of Design A that hold a part of every job.
_HOLDERS_OF_A = frozenset({"job", "queue", "result"})
_NODE = "node-"
_EVERYWHERE = ""


class LossTimes:
    """The faults that lost state, as the jobs see them that were there.

    In Design B a job goes with its home; in A with any process that holds state. Of other systems
    nothing is known, so every process may have held every job.
    """

    def __init__(self, design: str, faults: Sequence[FaultEvent]) -> None:
        self._by_home = design == "b"
        self._spans: dict[str, _Spans] = {}
        lossy = [fault for fault in faults if fault.lost_state]
        if self._by_home:
            for home in {name for fault in lossy for name in fault.lost_state}:
                self._spans[home] = _Spans(each for each in lossy if home in each.lost_state)
        elif any_loss := [each for each in lossy if design != "a" or _takes_from_a(each)]:
            self._spans[_EVERYWHERE] = _Spans(any_loss)

    def __bool__(self) -> bool:
        return bool(self._spans)

    def of(self, job_id: str, born: int) -> int:
        """Return when the memory that held a job of that age began to go, or ``OPEN_END``."""
        spans = self._spans.get(_home(job_id) if self._by_home else _EVERYWHERE)
        return OPEN_END if spans is None else spans.first_begun(born)

    def after(self, time: int) -> bool:
        """Say whether any memory may have been lost at that time or later."""
        return any(spans.first_begun(time) < OPEN_END for spans in self._spans.values())


class _Spans:
    """Times from the begin of a fault to its end."""

    def __init__(self, faults: Iterable[FaultEvent]) -> None:
        ordered = sorted(faults, key=lambda fault: fault.ended)
        self._ends = [fault.ended for fault in ordered]
        # The earliest begin of those that end there or later.
        self._begins = [fault.begun for fault in ordered]
        for number in reversed(range(len(ordered) - 1)):
            self._begins[number] = min(self._begins[number], self._begins[number + 1])

    def first_begun(self, born: int) -> int:
        """Return the earliest begin of the faults that were not over at ``born``."""
        number = bisect_left(self._ends, born)
        return self._begins[number] if number < len(self._begins) else OPEN_END


def _takes_from_a(fault: FaultEvent) -> bool:
    return not _HOLDERS_OF_A.isdisjoint(fault.lost_state)


def _home(job_id: str) -> str:
    try:
        return f"{_NODE}{ids.parse(job_id).home}"
    except MalformedJobId:
        return ""
