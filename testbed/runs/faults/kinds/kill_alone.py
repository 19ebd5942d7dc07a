"""A primary dies that has had no replica for a while; what it accepted then no other copy has."""

from __future__ import annotations

import time

from common.topology import role_of
from testbed.runs.faults import targets
from testbed.runs.faults.kind import Kind, Parameter, Parameters, Target
from testbed.stack.runtimes.controls import Controls


def _inject(controls: Controls, target: Target, parameters: Parameters) -> None:
    replicas = _others(controls, target)
    for each in replicas:
        controls.kill(each)
    time.sleep(parameters["alone_s"])
    controls.kill(target.name)
    for each in replicas:
        controls.start(each)


def _heal(controls: Controls, target: Target) -> None:
    for each in (*_others(controls, target), target.name):
        controls.start(each)


def _others(controls: Controls, target: Target) -> list[str]:
    """Name the other copies of what a process has one of: they are numbered."""
    return [
        each.name
        for each in controls.record.processes
        if role_of(each.name) == role_of(target.name) and each.name != target.name
    ]


KIND = Kind(
    name="kill_alone",
    about="The replicas of a primary are dead for a moment, then it dies, and one of them takes "
    "over without what it accepted meanwhile.",
    targets=targets.primaries,
    inject=_inject,
    heal=_heal,
    lacking="server of which there are copies",
    parameters=(Parameter("alone_s", "seconds for which it has no replica", 1, 0, 60),),
)
