"""Two workers are handed the same share of what one dequeue brought."""

from __future__ import annotations

from typing import Any

from common.flows.dispatch import Dispatcher
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    start = Dispatcher._start

    async def twice(self: Dispatcher, shares: Any) -> Any:
        started = await start(self, shares)
        return [started[0]] * len(started)

    patches.set(Dispatcher, "_start", twice)


MUTANT = Mutant("two workers have one share", ("a",), {"runs again"}, _apply, "calm")
