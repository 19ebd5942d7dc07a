"""The coordinator believes that a worker holds what it never received, and renews it for ever."""

from __future__ import annotations

from common.owners.liveness import LivenessOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    patches.set(LivenessOwner, "reconcile", lambda self, worker, reported: [])


MUTANT = Mutant("a lost assignment is renewed for ever", ("a",), {"lost"}, _apply)
