"""Whether the calls within a stack go through a proxy that can break them."""

from __future__ import annotations

from dataclasses import replace

from common.options.option import Option, OptionError, Started
from common.options.values import SWITCH
from common.stack_spec import StackSpec
from common.topology import Topology


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    if value == "on" and not topology.links_port:
        raise OptionError(f"design {topology.design} has no ports for links")
    return topology, replace(spec, links=value == "on")


OPTION = Option(
    name="links",
    about="whether calls within the stack go through a proxy that can lose, delay and repeat them",
    values=SWITCH,
    default="off",
    apply=_apply,
    buys="on: `testbed fault` can cut the stack in two",
    costs="on: one more hop for every call within the stack",
)
