"""The network cable of a container is pulled."""

from __future__ import annotations

from testbed.errors import TestbedError
from testbed.runs.faults import targets
from testbed.runs.faults.kind import CONTAINERS, Kind, Parameters, Target
from testbed.stack import runtimes
from testbed.stack.runtimes.controls import Controls


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    if controls.record.runtime == runtimes.DEFAULT:
        raise TestbedError(
            f"{target.name} is a local process, which has no network of its own to be taken off",
            "use containers (--runtime compose); of local processes, isolate cuts what our own say "
            "to each other, and pause_long is what a cut looks like to who calls a server",
        )
    controls.isolate(target.name)


def _heal(controls: Controls, target: Target) -> None:
    controls.rejoin(target.name)


KIND = Kind(
    name="unplug",
    about="A container is taken off its network: nothing reaches it, whatever it is and speaks.",
    targets=targets.processes,
    inject=_inject,
    heal=_heal,
    needs=CONTAINERS,
)
