"""State loss: which jobs a fault may take with the memory of a process."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from common.domain import ids
from common.domain.errors import MalformedJobId
from testbed.record.history.model import ALL_JOBS, OPEN_END, FaultEvent


class LossTimes:
    """The faults that lost state, as the jobs see them that were there.

    A fault takes every job, or those of the homes that it names. A job whose id names no home is
    of none of them.
    """

    def __init__(self, faults: Sequence[FaultEvent]) -> None:
        of_all: list[FaultEvent] = []
        of_home: dict[int, list[FaultEvent]] = {}
        for fault in faults:
            if fault.lost_jobs == ALL_JOBS:
                of_all.append(fault)
            else:
                for home in fault.lost_jobs:
                    of_home.setdefault(home, []).append(fault)
        self._of_all = _Spans(of_all)
        self._of_home = {home: _Spans([*of_all, *some]) for home, some in of_home.items()}

    def __bool__(self) -> bool:
        return bool(self._of_home) or bool(self._of_all)

    def of(self, job_id: str, born: int) -> int:
        """Return when the memory that held a job of that age began to go, or ``OPEN_END``."""
        home = _home(job_id) if self._of_home else None
        spans = self._of_all if home is None else self._of_home.get(home, self._of_all)
        return spans.first_begun(born)

    def after(self, time: int) -> bool:
        """Say whether any memory may have been lost at that time or later."""
        spans = (self._of_all, *self._of_home.values())
        return any(each.first_begun(time) < OPEN_END for each in spans)


class _Spans:
    """Times from the begin of a fault to its end."""

    def __init__(self, faults: Iterable[FaultEvent]) -> None:
        ordered = sorted(faults, key=lambda fault: fault.ended)
        self._ends = [fault.ended for fault in ordered]
        # The earliest begin of those that end there or later.
        self._begins = [fault.begun for fault in ordered]
        for number in reversed(range(len(ordered) - 1)):
            self._begins[number] = min(self._begins[number], self._begins[number + 1])

    def __bool__(self) -> bool:
        return bool(self._ends)

    def first_begun(self, born: int) -> int:
        """Return the earliest begin of the faults that were not over at ``born``."""
        number = bisect_left(self._ends, born)
        return self._begins[number] if number < len(self._begins) else OPEN_END


def _home(job_id: str) -> int | None:
    try:
        return ids.parse(job_id).home
    except MalformedJobId:
        return None
