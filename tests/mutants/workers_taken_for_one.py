"""All workers count as one: what one holds and another does not seems never to have arrived."""

from __future__ import annotations

from collections.abc import Iterable

from common.domain.job import Execution
from common.owners.liveness import LivenessOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    reconcile = LivenessOwner.reconcile
    assign = LivenessOwner.assign
    seen = LivenessOwner.seen
    settle = LivenessOwner.settle

    def seen_as_one(self: LivenessOwner, worker: str, slots: int) -> None:
        seen(self, "worker", slots)

    def assign_as_one(self: LivenessOwner, worker: str, executions: Iterable[Execution]) -> None:
        assign(self, "worker", executions)

    def reconcile_as_one(
        self: LivenessOwner, worker: str, reported: Iterable[Execution]
    ) -> list[Execution]:
        return reconcile(self, "worker", reported)

    def settle_as_one(self: LivenessOwner, worker: str, executions: Iterable[Execution]) -> None:
        settle(self, "worker", executions)

    patches.set(LivenessOwner, "seen", seen_as_one)
    patches.set(LivenessOwner, "assign", assign_as_one)
    patches.set(LivenessOwner, "reconcile", reconcile_as_one)
    patches.set(LivenessOwner, "settle", settle_as_one)


MUTANT = Mutant(
    "workers take each other's jobs", ("a",), {"calm-once", "runs again"}, _apply, "calm"
)
