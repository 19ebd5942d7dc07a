"""The bytes of an entry that is leased when it is removed are never given back."""

from __future__ import annotations

from common.owners.queue import QueueOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    remove = QueueOwner._remove

    def keeping(self: QueueOwner, job_id: str) -> bool:
        held, before = self._entries.get(job_id), self._bytes
        removed = remove(self, job_id)
        if held is not None and held.leased_until:
            self._bytes = before
        return removed

    patches.set(QueueOwner, "_remove", keeping)


MUTANT = Mutant("the queue fills up with what has left it", ("a", "b"), {"not at rest"}, _apply)
