"""A process is restarted gracefully, as for an update."""

from __future__ import annotations

from testbed.faults import targets
from testbed.faults.kind import Kind, Parameters, Target
from testbed.runtimes.controls import Controls
from testbed.stacks import StackRecord


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    controls.stop(target.name)


def _heal(controls: Controls, target: Target) -> None:
    controls.start(target.name)


def _seconds(_record: StackRecord) -> float:
    return 1.0


KIND = Kind(
    name="restart",
    about="A process stops gracefully (SIGTERM) and is started again when that is over.",
    targets=targets.processes,
    inject=_inject,
    heal=_heal,
    loses_state=True,
    seconds=_seconds,
)
