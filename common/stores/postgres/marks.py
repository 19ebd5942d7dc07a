"""Where a search through an index begins, so that it does not go through all that is dead.

What was deleted stays in the index for as long as any snapshot is held anywhere that may see it. A
queue leaves it behind at the one end at which it is searched: a search from there would take longer
and longer, and each claim with it.
"""

from __future__ import annotations

import time
from collections import deque

LAG = 1.0
"""Seconds that a statement may take to be committed: behind a mark so old nothing comes up."""
AFRESH = 1.0
"""Seconds between two searches from the beginning, for what came later than that after all."""
_SHARE = 500
"""A search from the beginning may take one part in so many of the time; a longer one is rarer."""
_RAREST = 60.0


class LowMark:
    """The lowest value from which on something may be alive; ``lowest`` is below all values."""

    def __init__(self, lowest: int) -> None:
        self._lowest = lowest
        self._low = lowest
        self._noted: deque[tuple[float, int]] = deque()
        self._due = 0.0
        self._began = 0.0

    def note(self, value: int) -> None:
        """Note that everything up to this value has been dealt with, as far as it was there."""
        self._noted.append((time.monotonic(), value))

    def begin(self) -> int:
        """Return from where on a search goes that begins now."""
        now = time.monotonic()
        while self._noted and self._noted[0][0] < now - LAG:
            self._low = max(self._low, self._noted.popleft()[1])
        if now < self._due:
            return self._low
        self._due = now + AFRESH
        self._began = now
        return self._lowest

    def ended(self, began_at: int) -> None:
        """Note that the search has ended which began there."""
        if began_at == self._lowest:
            now = time.monotonic()
            self._due = now + max(AFRESH, min(_RAREST, _SHARE * (now - self._began)))
