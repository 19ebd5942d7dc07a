"""A process is restarted gracefully, as for an update."""

from __future__ import annotations

from testbed.runs.faults import targets
from testbed.runs.faults.kind import Kind, Parameters, Target
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.controls import Controls


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    controls.stop(target.name)


def _heal(controls: Controls, target: Target) -> None:
    controls.start(target.name)


def _seconds(_record: StackRecord) -> float:
    return 1.0


KIND = Kind(
    name="restart",
    about="A process is asked to stop (SIGTERM, SIGINT for PostgreSQL) and is started again when "
    "that is over.",
    targets=targets.processes,
    inject=_inject,
    heal=_heal,
    loses_state=True,
    seconds=_seconds,
)
