"""The clock of a process."""

from __future__ import annotations

import time


class SystemClock:
    """Wall time read once and carried on by the monotonic clock, so it never jumps."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Return microseconds since the Unix epoch."""
        return (self._offset + time.monotonic_ns()) // 1000
