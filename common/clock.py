"""The clock of a process."""

from __future__ import annotations

import time

_READINGS = 10


class SystemClock:
    """Wall time read once and carried on by the monotonic clock, so it never jumps.

    Processes of one machine agree to within microseconds, however busy it was when they started:
    jobs that two of them accept one after the other are listed in that order.
    """

    def __init__(self) -> None:
        # Both clocks cannot be read at the same moment, and a process may have to wait for a core
        # in between. The wall clock is right that was read between two close looks at the other.
        _, self._offset = min(_difference() for _ in range(_READINGS))

    def now(self) -> int:
        """Return microseconds since the Unix epoch."""
        return (self._offset + time.monotonic_ns()) // 1000


def _difference() -> tuple[int, int]:
    """Return by how much the difference of the two clocks may be wrong, and the difference."""
    before = time.monotonic_ns()
    wall = time.time_ns()
    after = time.monotonic_ns()
    return after - before, wall - (before + after) // 2
