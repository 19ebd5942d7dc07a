"""What a worker is given is noted as the own of the one that was given something before it."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.job import Assignment
from common.flows.dispatch import Dispatcher
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    note = Dispatcher._note
    noted: dict[Dispatcher, str] = {}

    def another(self: Dispatcher, worker: str, slots: int, started: Sequence[Assignment]) -> None:
        before, noted[self] = noted.get(self, worker), worker
        note(self, before, slots, started)

    patches.set(Dispatcher, "_note", another)


MUTANT = Mutant(
    "a share is noted as another worker's", ("a",), {"runs again", "calm-once"}, _apply, "calm"
)
