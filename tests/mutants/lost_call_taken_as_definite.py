"""A call that was lost is taken for one that was refused: nothing happened."""

from __future__ import annotations

from typing import Any

from common.domain.errors import OwnerUnreachable, Stopping, TaskQueueError
from common.flows.leftovers import Leftovers
from common.flows.waiters import Waiter
from tests.mutants import Mutant, Patches
from tests.mutants.leftovers_never_found import find_none


def _apply(patches: Patches) -> None:
    fail = Waiter.fail

    def refused(self: Any, error: TaskQueueError) -> None:
        fail(self, Stopping("peer") if isinstance(error, OwnerUnreachable) else error)

    patches.set(Waiter, "fail", refused)
    patches.set(Leftovers, "round", find_none)


MUTANT = Mutant(
    "a lost call did not happen", ("a",), {"unexpected", "unfinished"}, _apply, "crowds"
)
