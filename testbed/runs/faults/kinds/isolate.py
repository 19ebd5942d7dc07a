"""A process is cut off from all others."""

from __future__ import annotations

from testbed.runs.faults import targets
from testbed.runs.faults.kind import LINKS, Kind, Parameters, Target
from testbed.stack.runtimes.controls import Controls


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    controls.isolate(target.name)


def _heal(controls: Controls, target: Target) -> None:
    controls.rejoin(target.name)


KIND = Kind(
    name="isolate",
    about="A process reaches no other one of the stack, and none reaches it.",
    targets=targets.linked,
    inject=_inject,
    heal=_heal,
    needs=LINKS,
)
