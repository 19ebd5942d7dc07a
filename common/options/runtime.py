"""Where a stack runs."""

from __future__ import annotations

from dataclasses import replace

from common.options.option import Option, Started
from common.options.values import Choice
from common.stack_spec import DEFAULT_RUNTIME, StackSpec
from common.topology import Topology


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    return topology, replace(spec, runtime=value)


OPTION = Option(
    name="runtime",
    about="where the processes run: on this machine, or in containers with Docker Compose",
    values=Choice((DEFAULT_RUNTIME, "compose")),
    default=DEFAULT_RUNTIME,
    apply=_apply,
    buys="compose: a budget of CPU and memory, a network for each process",
    costs="compose: an engine, and its network in every call",
    facts=("runtime", "cpus", "memory_mib", "python", "grpcio"),
)
