"""A job that waits for long is forgotten without asking the queue for it."""

from __future__ import annotations

from collections.abc import Sequence

from common.flows.leftovers import Leftovers
from tests.mutants import Mutant, Patches


async def _forget(self: Leftovers, job_ids: Sequence[str]) -> None:
    await self._jobs.forget(job_ids)


def _apply(patches: Patches) -> None:
    patches.set(Leftovers, "_forget_unless_queued", _forget)


MUTANT = Mutant("what waits for long is taken for left behind", ("a",), {"lost"}, _apply)
