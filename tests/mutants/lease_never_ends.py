"""A lease that has run out is forgotten, and its entry stays out of sight."""

from __future__ import annotations

import heapq

from common.owners.queue import QueueOwner
from tests.mutants import Mutant, Patches


def _forget(self: QueueOwner) -> None:
    while self._expiries and self._expiries[0][0] <= self._clock.now():
        heapq.heappop(self._expiries)


def _apply(patches: Patches) -> None:
    patches.set(QueueOwner, "_expire", _forget)


MUTANT = Mutant("an ended lease leaves its entry hidden", ("a",), {"lost"}, _apply)
