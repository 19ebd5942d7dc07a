"""A submit whose creation was not answered is not withdrawn, and nothing finds it later."""

from __future__ import annotations

from common.flows.leftovers import Leftovers
from common.flows.public import OwnedTaskQueue
from tests.mutants import Mutant, Patches
from tests.mutants.leftovers_never_found import find_none


def _apply(patches: Patches) -> None:
    withdraw = OwnedTaskQueue._withdraw

    async def only_known(self: OwnedTaskQueue, submit_id: str, job_id: str = "") -> None:
        if job_id:
            await withdraw(self, submit_id, job_id)

    patches.set(OwnedTaskQueue, "_withdraw", only_known)
    patches.set(Leftovers, "round", find_none)


MUTANT = Mutant("an unanswered submit leaves its record", ("a",), {"unfinished"}, _apply)
