"""A silent worker is never given up: its leases are renewed for ever."""

from __future__ import annotations

from common.owners.liveness import LivenessOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    patches.set(LivenessOwner, "expire", lambda self: {})


MUTANT = Mutant("a dead worker keeps its jobs", ("a",), {"lost"}, _apply)
