"""A lease is renewed for a quarter of a minute and no longer."""

from __future__ import annotations

from common.domain.job import MICROSECONDS, Execution
from common.owners.queue import QueueOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    renew = QueueOwner._renew

    def impatient(self: QueueOwner, execution: Execution) -> bool:
        held = self._entries.get(execution.job_id)
        long_ago = held is not None and self._clock.now() - held.since > 15 * MICROSECONDS
        return not long_ago and renew(self, execution)

    patches.set(QueueOwner, "_renew", impatient)


MUTANT = Mutant(
    "a long job is given to another worker",
    ("a", "b"),
    {"calm-once", "runs again"},
    _apply,
    "calm",
)
