"""A process stands still for a moment, as in a long collection of garbage."""

from __future__ import annotations

from testbed.runs.faults import targets
from testbed.runs.faults.kind import Kind, Parameters, Target, heartbeat_timeout
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.controls import Controls


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    controls.pause(target.name)


def _heal(controls: Controls, target: Target) -> None:
    controls.resume(target.name)


def _seconds(record: StackRecord) -> float:
    return heartbeat_timeout(record) / 2


KIND = Kind(
    name="pause_short",
    about="A process stands still (SIGSTOP) for half of the heartbeat timeout.",
    targets=targets.processes,
    inject=_inject,
    heal=_heal,
    seconds=_seconds,
)
