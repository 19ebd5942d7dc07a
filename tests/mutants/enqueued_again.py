"""An enqueue of a job that has an entry puts a new one in its place."""

from __future__ import annotations

from common.domain.errors import TaskQueueError
from common.owners.queue import QueueOwner
from common.ports import NewEntry
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    enqueue = QueueOwner._enqueue

    def again(self: QueueOwner, entry: NewEntry) -> TaskQueueError | None:
        if self._entries.pop(entry.job_id, None) is not None:
            self._visible.pop(entry.job_id, None)
        return enqueue(self, entry)

    patches.set(QueueOwner, "_enqueue", again)


MUTANT = Mutant(
    "a repeated enqueue makes a second entry", ("a", "b"), {"not at rest"}, _apply, "late repeats"
)
