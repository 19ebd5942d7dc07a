"""A job that becomes visible again begins with attempt 1 once more."""

from __future__ import annotations

from typing import Any

from common.owners.queue import QueueOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    show_again = QueueOwner._show_again

    def anew(self: QueueOwner, held: Any) -> None:
        show_again(self, held)
        held.attempt = 0

    patches.set(QueueOwner, "_show_again", anew)


MUTANT = Mutant("attempts begin anew", ("a",), {"lost"}, _apply)
