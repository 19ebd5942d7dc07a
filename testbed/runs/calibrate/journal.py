"""The stub server's own record: when each call was begun and answered.

One record of 17 bytes for each call: the method's place in ``METHODS``, then begin and end in
nanoseconds of the Unix clock. The end is moved along by CLOCK_MONOTONIC, so that setting the clock
during a run changes no duration.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from testbed.record.damage import reading
from testbed.record.model import Window
from testbed.runs.calibrate.behaviour import METHODS

NAME = "journal.bin"
STRUCT = "<Bqq"
_RECORD = np.dtype([("method", "u1"), ("begin_ns", "<i8"), ("end_ns", "<i8")])


@dataclass(frozen=True)
class Journal:
    """All calls that the stub answered, in the order of their ends."""

    records: npt.NDArray[Any]

    @property
    def calls(self) -> int:
        """Number of all calls."""
        return len(self.records)

    def count(self, method: str) -> int:
        """Return the number of calls of a method."""
        return int(np.count_nonzero(self.records["method"] == METHODS.index(method)))

    def answered_before(self, unix: float) -> int:
        """Return how many calls were answered before a moment."""
        return int(np.count_nonzero(self.records["end_ns"] < unix * 1e9))

    def service_ms(self, method: str, window: Window) -> npt.NDArray[np.float64]:
        """Return the service times of the calls answered within ``window``, ascending."""
        rows = self.records[self.records["method"] == METHODS.index(method)]
        inside = (rows["end_ns"] >= window.from_unix * 1e9) & (
            rows["end_ns"] < window.to_unix * 1e9
        )
        rows = rows[inside]
        return np.sort((rows["end_ns"] - rows["begin_ns"]) / 1e6)


def read(path: Path) -> Journal:
    """Read a journal. Raises :class:`RecordingError` naming the file."""
    with reading(path):
        data = path.read_bytes()
        if len(data) % _RECORD.itemsize:
            raise ValueError(f"{len(data)} bytes are no whole number of calls, so it is cut")
        records = np.frombuffer(data, _RECORD)
        if np.any(records["method"] >= len(METHODS)):
            raise ValueError("a call of no method")
        return Journal(records)


def from_rows(rows: list[tuple[str, float, float]]) -> Journal:
    """Make a journal of method, begin and end, both in seconds since the epoch."""
    values = [
        (METHODS.index(name), round(begin * 1e9), round(end * 1e9)) for name, begin, end in rows
    ]
    return Journal(np.array(values, _RECORD))
