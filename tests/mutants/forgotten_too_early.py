"""Ended jobs are forgotten when half of their retention is over."""

from __future__ import annotations

from typing import Any

from common.owners.jobs import JobOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    init = JobOwner.__init__

    def halved(self: JobOwner, *given: Any) -> None:
        init(self, *given)
        self._retention //= 2

    patches.set(JobOwner, "__init__", halved)


MUTANT = Mutant(
    "jobs are forgotten too early", ("a", "b"), {"lost", "duplicated"}, _apply, "retention"
)
