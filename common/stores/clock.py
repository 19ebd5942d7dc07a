"""The clock of a store's server, which all processes have in common that share the store."""

from __future__ import annotations

from common.ports import Clock


class StoreClock:
    """Follows the server's clock by the process's own, from when they are first compared.

    Like every :class:`~common.ports.Clock` it never goes back.
    """

    def __init__(self, own: Clock) -> None:
        self._own = own
        self._offset = 0
        self._latest = 0

    def now(self) -> int:
        """Return microseconds since the Unix epoch."""
        self._latest = max(self._latest, self._own.now() + self._offset)
        return self._latest

    def compare(self, asked: int, theirs: int, answered: int) -> None:
        """Take the server's time ``theirs``, which it said between two times of the own clock.

        All times are in microseconds. What it may be wrong by is half of the time in between.
        """
        if not asked <= theirs - self._offset <= answered:
            self._offset = theirs - (asked + answered) // 2
