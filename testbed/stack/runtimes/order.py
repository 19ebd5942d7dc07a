"""In which order the processes of a stack stop, and how long they may take, wherever they run."""

from __future__ import annotations

from collections.abc import Sequence

from common.config import Settings
from testbed.stack.records import ProcessRecord, StackRecord


def waves(records: Sequence[ProcessRecord]) -> list[list[ProcessRecord]]:
    """Return the processes in the order of their stop: callers before those whom they call.

    So a caller's last calls are still answered. Processes that call each other stop together.
    """
    left, order = list(records), []
    while left:
        called = {peer for record in left for peer in record.calls if peer != record.name}
        wave = [record for record in left if record.name not in called] or left
        order.append(wave)
        left = [record for record in left if record not in wave]
    return order


def stop_grace(record: StackRecord | None) -> float:
    """Return the seconds that each process of a stack gives itself to stop."""
    settings = record.settings if record else {}
    return float(settings.get("stop_grace", Settings.stop_grace))
