"""A process stands still until others have given it up, and then comes back."""

from __future__ import annotations

from testbed.runs.faults import targets
from testbed.runs.faults.kind import Kind, Parameters, Target, heartbeat_timeout
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.controls import Controls

# Seconds for what was given up to be begun elsewhere.
_BEYOND = 2.0


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    controls.pause(target.name)


def _heal(controls: Controls, target: Target) -> None:
    controls.resume(target.name)


def _seconds(record: StackRecord) -> float:
    return heartbeat_timeout(record) + _BEYOND


KIND = Kind(
    name="pause_long",
    about="A process stands still (SIGSTOP) for longer than the heartbeat timeout: a worker comes "
    "back with reports of jobs that others have.",
    targets=targets.processes,
    inject=_inject,
    heal=_heal,
    seconds=_seconds,
)
