"""A submit whose creation was not answered is not withdrawn, and nothing finds it later."""

from __future__ import annotations

from common.flows import submit
from common.flows.leftovers import Leftovers
from common.ports import Jobs
from tests.mutants import Mutant, Patches
from tests.mutants.leftovers_never_found import find_none


async def _leave(submit_id: str, jobs: Jobs) -> None:
    """Withdraw nothing."""


def _apply(patches: Patches) -> None:
    patches.set(submit, "_withdraw_unanswered", _leave)
    patches.set(Leftovers, "round", find_none)


MUTANT = Mutant("an unanswered submit leaves its record", ("a",), {"unfinished"}, _apply)
