"""How many jobs a stack runs at a time."""

from __future__ import annotations

from dataclasses import replace

from common.options.option import Option, OptionError, Started
from common.options.values import Number
from common.stack_spec import DEFAULT_SLOTS, StackSpec
from common.topology import Topology


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    if not topology.shares_slots:
        raise OptionError(f"design {topology.design} shares out no slots")
    return topology, replace(spec, slots=int(value))


OPTION = Option(
    name="slots",
    about="how many jobs a stack runs at a time, all its processes together",
    values=Number(1, 10_000, "jobs", whole=True),
    default=str(DEFAULT_SLOTS),
    apply=_apply,
    buys="more: jobs that wait for something else finish sooner",
    costs="more: jobs that compute compete for the cores, and memory for each",
    facts=("slots", "fetchers"),
)
