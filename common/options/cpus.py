"""How many cores a stack may use, in containers."""

from __future__ import annotations

from dataclasses import replace

from common.options.option import Option, Started
from common.options.values import Number
from common.stack_spec import Budget, StackSpec
from common.topology import Topology


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    return topology, replace(spec, budget=replace(spec.budget or Budget(), cpus=float(value)))


OPTION = Option(
    name="cpus",
    about="how many cores all processes of a stack may use together, each an equal part; in "
    "containers only",
    values=Number(0, 1024, "cores", above=True),
    default=f"{Budget.cpus:g} in containers",
    apply=_apply,
    buys="less: what a smaller machine would do",
    costs="less: processes are held back, which shows in every latency",
    facts=("cpus",),
)
