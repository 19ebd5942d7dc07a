"""A worker is asked to cancel another of its executions than the one that was canceled."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.job import Execution
from common.flows.coordinator import WorkCoordinator
from common.ports import HeartbeatReply
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    heartbeat = WorkCoordinator.heartbeat

    async def mistaken(
        self: WorkCoordinator, worker: str, slots: int, held: Sequence[Execution]
    ) -> HeartbeatReply:
        reply = await heartbeat(self, worker, slots, held)
        others = [each for each in held if each not in reply.cancel]
        return HeartbeatReply(others[: len(reply.cancel)], reply.drop)

    patches.set(WorkCoordinator, "heartbeat", mistaken)


MUTANT = Mutant(
    "another job is canceled",
    ("a", "b"),
    {"calm-cancel", "calm-once", "runs again"},
    _apply,
    "calm",
)
