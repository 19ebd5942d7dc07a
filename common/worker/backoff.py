"""Waiting longer after each failure in a row."""

from __future__ import annotations

import asyncio
import random


class Backoff:
    """Exponential back-off with jitter; times in seconds."""

    def __init__(self, first: float = 0.05, cap: float = 1.0) -> None:
        self._first = first
        self._cap = cap
        self._failures = 0

    def next_delay(self) -> float:
        """Note a failure and draw the wait after it: half to all of the exponential, capped."""
        delay: float = min(self._cap, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return delay * random.uniform(0.5, 1)

    async def pause(self) -> None:
        """Note a failure and wait."""
        await asyncio.sleep(self.next_delay())

    def reset(self) -> None:
        """Note a success."""
        self._failures = 0
