"""The error of one entry of a shared call is given to all who wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.rpc.coalesce import Coalescer
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    ask = Coalescer._ask

    async def all_for_one(self: Coalescer[Any, Any], batch: Sequence[Any]) -> list[Any]:
        answers = await ask(self, batch)
        failed = [each for each in answers if not isinstance(each, bool) and each.HasField("error")]
        return [failed[0]] * len(answers) if failed else answers

    patches.set(Coalescer, "_ask", all_for_one)


MUTANT = Mutant(
    "an error of one entry is all of theirs", ("a",), {"lost", "request-ids"}, _apply, "crowds"
)
