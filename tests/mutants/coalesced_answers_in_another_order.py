"""The answers to a call that several wait for are handed out in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.rpc.coalesce import Coalescer
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    ask = Coalescer._ask

    async def backwards(self: Coalescer[Any, Any], batch: Sequence[Any]) -> list[Any]:
        answers = await ask(self, batch)
        return answers[::-1] if len(batch) > 1 else answers

    patches.set(Coalescer, "_ask", backwards)


MUTANT = Mutant(
    "answers of a shared call are exchanged", ("a",), {"duplicated", "steps"}, _apply, "crowds"
)
