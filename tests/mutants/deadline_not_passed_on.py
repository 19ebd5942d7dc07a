"""A process gives its calls the time that any call may take, not that which its caller has."""

from __future__ import annotations

from types import SimpleNamespace

from common import context
from common.rpc import channel
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    generous = SimpleNamespace(
        remaining=lambda cap: cap,
        correlation_id=context.correlation_id,
        handling=context.handling,
    )
    patches.set(channel, "context", generous)


MUTANT = Mutant("deadlines are not passed on", ("a", "b"), {"defect"}, _apply)
