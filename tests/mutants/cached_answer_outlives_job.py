"""A cache gives what it kept for as long as it has it, whatever the retention of jobs."""

from __future__ import annotations

from common.cache.keeping import Keeping
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    packed = Keeping.packed

    def kept_for_ever(self: Keeping, answer: bytes, ended: int) -> tuple[bytes, int]:
        self._kept = None
        return packed(self, answer, ended)

    patches.set(Keeping, "packed", kept_for_ever)


MUTANT = Mutant(
    "a forgotten job is answered from the cache", ("a", "b"), {"steps"}, _apply, "cache"
)
