"""A result is forgotten before the record of its job."""

from __future__ import annotations

from typing import Any

from common.owners.results import ResultOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    init = ResultOwner.__init__

    def shortened(self: ResultOwner, clock: Any, retention: float = 0) -> None:
        init(self, clock, retention)
        self._age = int(retention / 2 * 1_000_000)

    patches.set(ResultOwner, "__init__", shortened)


MUTANT = Mutant("results are forgotten first", ("a", "b"), {"lost"}, _apply, "retention")
