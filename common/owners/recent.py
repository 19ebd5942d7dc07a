"""What an owner remembers for a time only."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from common.domain.job import MICROSECONDS
from common.ports import Clock

V = TypeVar("V")


class Recent(Generic[V]):
    """Values by key, each for ``seconds`` after it was noted last. The empty key is none."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._age = int(seconds * MICROSECONDS)
        self._values: OrderedDict[str, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> V | None:
        """Return what was noted under the key lately, ``None`` if nothing was."""
        latest = self._clock.now() - self._age
        while self._values and next(iter(self._values.values()))[1] < latest:
            self._values.popitem(last=False)
        known = self._values.get(key)
        return None if known is None else known[0]

    def note(self, key: str, value: V) -> None:
        """Remember a value."""
        if key:
            self._values[key] = value, self._clock.now()
            self._values.move_to_end(key)
