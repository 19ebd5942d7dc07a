"""A process dies at once, as by a defect or for want of memory."""

from __future__ import annotations

from testbed.runs.faults import targets
from testbed.runs.faults.kind import Kind, Parameters, Target
from testbed.stack.runtimes.controls import Controls


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    controls.kill(target.name)


def _heal(controls: Controls, target: Target) -> None:
    controls.start(target.name)


KIND = Kind(
    name="kill",
    about="A process dies at once (SIGKILL) and is started again when that is over.",
    targets=targets.processes,
    inject=_inject,
    heal=_heal,
    loses_state=True,
)
