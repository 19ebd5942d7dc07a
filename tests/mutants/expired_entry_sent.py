"""One whose time runs out in a call under way is answered that nothing was sent."""

from __future__ import annotations

from typing import Any

from common.domain.errors import DeadlineAlreadyPast
from common.flows.leftovers import Leftovers
from common.rpc.coalesce import Coalescer
from tests.mutants import Mutant, Patches
from tests.mutants.leftovers_never_found import find_none


def _apply(patches: Patches) -> None:
    def unsent(self: Coalescer[Any, Any], waiter: Any) -> None:
        if not waiter.answers.done():
            waiter.answers.set_exception(DeadlineAlreadyPast())

    patches.set(Coalescer, "_expire", unsent)
    patches.set(Leftovers, "round", find_none)


MUTANT = Mutant("an expired entry was sent after all", ("a",), {"unfinished"}, _apply, "crowds")
