"""The wall clock of a process jumps."""

from __future__ import annotations

from testbed.runs.faults import targets
from testbed.runs.faults.kind import CLOCK, Kind, Parameter, Parameters, Target
from testbed.stack.runtimes.controls import Controls

_DAY = 86_400


def _inject(controls: Controls, target: Target, parameters: Parameters) -> None:
    controls.set_clock(target.name, parameters["jump_s"])


def _heal(controls: Controls, target: Target) -> None:
    controls.set_clock(target.name, 0)


KIND = Kind(
    name="clock",
    about="The wall clock of a process jumps, and back when that is over.",
    targets=targets.ours,
    inject=_inject,
    heal=_heal,
    needs=CLOCK,
    parameters=(
        Parameter("jump_s", "seconds ahead of the true time, or behind it", 3600, -_DAY, _DAY),
    ),
)
