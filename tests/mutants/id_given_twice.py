"""Ids are made of a coarse time alone, so two jobs of one moment share an id."""

from __future__ import annotations

from common.domain.ids import IdMint
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    mint = IdMint.next

    def coarse(self: IdMint, now: int) -> str:
        self.latest = 0
        return mint(self, now - now % 500_000)

    patches.set(IdMint, "next", coarse)


MUTANT = Mutant("two jobs have one id", ("a", "b"), {"duplicated"}, _apply)
