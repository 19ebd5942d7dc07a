"""What one process saw of a test, and how the parts of several processes become one record.

Latencies are HDR histograms of whole microseconds. ``load.json`` is written here and nowhere else.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram

from taskqueue_load.client import CANCEL, EXPECTED, LIST, RESULT, STATUS, SUBMIT
from taskqueue_load.outcome import CallError

FORMAT = 1
FILE = "load.json"
LOWEST_US, HIGHEST_US, DIGITS = 1, 60_000_000, 3
NAMES = (SUBMIT, STATUS, RESULT, CANCEL, LIST, *sorted(EXPECTED))


class CallRecord:
    """The calls of one name: a histogram of those that were answered, counts of those that failed.

    Travels between processes as plain data (:meth:`to_data`), and adds up (:meth:`add_data`).
    """

    def __init__(self) -> None:
        self.histogram = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        self.definite = 0
        self.indefinite = 0
        self.kinds: Counter[str] = Counter()
        self.min_us = sys.maxsize
        self.max_us = 0

    def answered(self, milliseconds: float) -> None:
        """Count a call that was answered."""
        value = min(max(round(milliseconds * 1000), LOWEST_US), HIGHEST_US)
        self.histogram.record_value(value)
        self.min_us = min(self.min_us, value)
        self.max_us = max(self.max_us, value)

    def failed(self, error: BaseException) -> None:
        """Count a call that failed; what is no :class:`CallError` may have happened."""
        kind = error.kind if isinstance(error, CallError) else f"UNKNOWN {type(error).__name__}"
        self.kinds[kind] += 1
        if isinstance(error, CallError) and error.definite:
            self.definite += 1
        else:
            self.indefinite += 1

    def to_data(self, name: str) -> dict[str, Any]:
        """Return the entry of ``load.json``; ``count`` is all calls, failed ones too."""
        answered = self.histogram.get_total_count()
        return {
            "count": answered + self.definite + self.indefinite,
            "errors": {"definite": self.definite, "indefinite": self.indefinite},
            "expected": answered if name in EXPECTED else 0,
            "error_kinds": dict(sorted(self.kinds.items())),
            "histogram": self.histogram.encode().decode("ascii"),
            "unit": "us",
            "min_us": self.min_us if answered else None,
            "max_us": self.max_us if answered else None,
        }

    def add_data(self, data: Mapping[str, Any]) -> None:
        """Add what another process returned from :meth:`to_data`."""
        self.definite += data["errors"]["definite"]
        self.indefinite += data["errors"]["indefinite"]
        self.kinds.update(data["error_kinds"])
        if data["min_us"] is not None:
            self.histogram.decode_and_add(data["histogram"])
            self.min_us = min(self.min_us, data["min_us"])
            self.max_us = max(self.max_us, data["max_us"])


def merge(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up the parts of all processes (:meth:`Recorder.part`) to the measured part of a record.

    The window reaches from the first process's begin to the last one's end.
    """
    calls: dict[str, CallRecord] = {}
    begins, ends, accepted, cpu = [], [], 0, 0.0
    for part in parts:
        cpu += part["cpu_seconds"]
        accepted += part["accepted"]
        if part["to_unix"] is not None:
            begins.append(part["from_unix"])
            ends.append(part["to_unix"])
        for name, data in part["calls"].items():
            calls.setdefault(name, CallRecord()).add_data(data)
    return {
        "measured": {"from_unix": min(begins, default=0.0), "to_unix": max(ends, default=0.0)},
        "calls": {name: each.to_data(name) for name, each in calls.items()},
        "accepted": accepted,
        "generator_cpu_seconds": round(cpu, 6),
    }


def write(folder: Path, facts: Mapping[str, Any], parts: Iterable[Mapping[str, Any]]) -> Path:
    """Write ``load.json`` in one step, so that no reader sees half of it; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    partial = folder / f".{FILE}.partial"
    text = json.dumps({"format": FORMAT, **facts, **merge(parts)}, indent=2) + "\n"
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def is_used(folder: Path) -> bool:
    """Whether the directory holds a record, or a part of one."""
    return (folder / FILE).exists() or any(folder.glob("accepted-*.txt"))
