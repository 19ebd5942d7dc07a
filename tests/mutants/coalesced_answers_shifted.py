"""One who left a shared call takes no answers with them: the next is given theirs."""

from __future__ import annotations

from typing import Any

from common.domain.errors import TaskQueueError
from common.rpc.coalesce import Coalescer
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    async def shifted(self: Coalescer[Any, Any], batch: list[Any]) -> None:
        try:
            answers = await self._ask(batch)
        except TaskQueueError as error:
            for waiter in batch:
                waiter.fail(error)
            return
        for waiter in batch:
            if not waiter.answers.done():
                waiter.succeed([answers.pop(0) for _ in waiter.entries])

    patches.set(Coalescer, "_serve", shifted)


MUTANT = Mutant(
    "who left a shared call leaves their answers", ("a",), {"lost", "steps"}, _apply, "impatient"
)
