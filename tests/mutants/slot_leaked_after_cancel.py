"""The slot of an execution that was canceled stays taken."""

from __future__ import annotations

from common.worker.held import Held, Holdings, Intent
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    end = Holdings.end

    def leaking(self: Holdings, held: Held) -> None:
        end(self, held)
        if held.intent is Intent.CANCEL:
            self._running.add(held)

    patches.set(Holdings, "end", leaking)


MUTANT = Mutant(
    "a cancel costs the worker a slot", ("a", "b"), {"not at rest", "not drained"}, _apply, "calm"
)
