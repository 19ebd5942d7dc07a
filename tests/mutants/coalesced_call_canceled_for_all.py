"""One who gives a shared call up cancels it for all who wait for it."""

from __future__ import annotations

from typing import Any

from common.rpc.coalesce import Coalescer
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    leave = Coalescer._leave

    def last_of_all(self: Coalescer[Any, Any], waiter: Any) -> None:
        if waiter.call is not None:
            waiter.call.left = 1
        leave(self, waiter)

    patches.set(Coalescer, "_leave", last_of_all)


MUTANT = Mutant("one who leaves cancels a shared call", ("a",), {"fails"}, _apply, "impatient")
