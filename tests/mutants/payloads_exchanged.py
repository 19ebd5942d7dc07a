"""Jobs that are leased together are handed out with one another's payloads."""

from __future__ import annotations

from dataclasses import replace

from common.domain.job import Assignment
from common.owners.queue import QueueOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    take = QueueOwner._take

    def mixed_up(self: QueueOwner, max_jobs: int) -> list[Assignment]:
        taken = take(self, max_jobs)
        return [
            replace(each, spec=other.spec)
            for each, other in zip(taken, reversed(taken), strict=True)
        ]

    patches.set(QueueOwner, "_take", mixed_up)


MUTANT = Mutant("two jobs of a batch are exchanged", ("a", "b"), {"runs"}, _apply, "calm")
