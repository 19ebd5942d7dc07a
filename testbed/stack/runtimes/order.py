"""In which order the processes of a stack stop, and how long they may take, wherever they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common.config import Settings
from testbed.stack.records import ProcessRecord, StackRecord


def waves(records: Sequence[ProcessRecord]) -> list[list[ProcessRecord]]:
    """Return the processes in the order of their stop: callers before those whom they call.

    So a caller's last calls are still answered. Processes that call each other, directly or by way
    of others, stop together.
    """
    calls = {record.name: set(record.calls) for record in records}
    reached = {name: _reached(name, calls) for name in calls}
    left, order = list(records), []
    while left:
        wave = [
            record
            for record in left
            if all(
                each.name in reached[record.name]
                for each in left
                if record.name in reached[each.name] and each is not record
            )
        ]
        order.append(wave)
        left = [record for record in left if record not in wave]
    return order


def _reached(name: str, calls: Mapping[str, set[str]]) -> set[str]:
    """Return whom a process calls, and whom those call, and so on."""
    found: set[str] = set()
    new = [name]
    while new:
        for each in calls.get(new.pop(), ()):
            if each not in found:
                found.add(each)
                new.append(each)
    return found


def stop_grace(record: StackRecord | None) -> float:
    """Return the seconds that each process of a stack gives itself to stop."""
    settings = record.settings if record else {}
    return float(settings.get("stop_grace", Settings.stop_grace))
