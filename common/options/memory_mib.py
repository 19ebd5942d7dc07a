"""How much memory a stack may use, in containers."""

from __future__ import annotations

from dataclasses import replace

from common.options.option import Option, Started
from common.options.values import Number
from common.stack_spec import Budget, StackSpec
from common.topology import Topology


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    budget = replace(spec.budget or Budget(), memory_mib=int(value))
    return topology, replace(spec, budget=budget)


OPTION = Option(
    name="memory_mib",
    about="how much memory all processes of a stack may use together, each an equal part; in "
    "containers only",
    values=Number(96, 1 << 20, "MiB", whole=True),
    default=f"{Budget.memory_mib} in containers",
    apply=_apply,
    buys="less: what a smaller machine would do",
    costs="less: a process that needs more is ended",
    facts=("memory_mib",),
)
