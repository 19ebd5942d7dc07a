"""Whether the wall clocks of the processes can be set."""

from __future__ import annotations

from dataclasses import replace

from common.options.option import Option, Started
from common.options.values import SWITCH
from common.stack_spec import StackSpec
from common.topology import Topology


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    return topology, replace(spec, clock=value == "on")


OPTION = Option(
    name="clock",
    about="whether the wall clock of each process can be set, of local processes only",
    values=SWITCH,
    default="off",
    apply=_apply,
    buys="on: `testbed fault clock` can let the clock of a process jump",
    costs="on: every process runs with libfaketime",
)
