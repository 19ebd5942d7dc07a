"""A worker ignores the cancels in the answers to its heartbeats."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.job import Execution
from common.worker.held import Intent
from common.worker.loop import Worker
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    obey = Worker._obey

    def deaf(self: Worker, executions: Sequence[Execution], intent: Intent) -> None:
        if intent is not Intent.CANCEL:
            obey(self, executions, intent)

    patches.set(Worker, "_obey", deaf)


MUTANT = Mutant("a worker ignores cancels", ("a", "b"), {"calm-cancel"}, _apply, "calm")
