"""Slices: the part of a history that shows a violation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from testbed.check.verdict import Slice
from testbed.record.history.model import OPEN_END, FaultEvent, Operation


def slice_of(operations: Iterable[Operation], faults: Sequence[FaultEvent]) -> Slice:
    """Return the calls and the faults that overlap their time, by when they began."""
    calls = {operation.id: operation for operation in operations}.values()
    start = min(call.invoked for call in calls)
    end = max(call.completed if call.completed < OPEN_END else call.invoked for call in calls)
    around = [fault for fault in faults if fault.begun <= end and fault.ended >= start]
    return tuple(sorted((*calls, *around), key=_begin))


def _begin(event: Operation | FaultEvent) -> tuple[int, int]:
    return (event.invoked if isinstance(event, Operation) else event.begun), event.id
