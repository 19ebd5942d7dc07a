"""What a gateway leaves behind that dies on the way is never found."""

from __future__ import annotations

from common.flows.leftovers import Leftovers
from tests.mutants import Mutant, Patches


async def find_none(self: Leftovers) -> None:
    """Find nothing."""


def _apply(patches: Patches) -> None:
    patches.set(Leftovers, "round", find_none)


MUTANT = Mutant("what dead gateways leave is never found", ("a",), {"unfinished"}, _apply)
