"""From how many nodes of a cache terminal answers are read."""

from __future__ import annotations

from dataclasses import replace

from common.options.option import Option, OptionError, Started
from common.options.values import Number
from common.services import redis
from common.stack_spec import StackSpec
from common.topology import Topology

MOST = 8
# In the block of ports for servers that keep state; before it are those of the store.
_FIRST = 12


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    if not int(value):
        return topology, spec
    if not topology.stores_port:
        raise OptionError(f"design {topology.design} has no ports for the nodes of a cache")
    first = topology.stores_port + _FIRST
    nodes = [
        redis.cache(f"cache-{number}", first + number - 1) for number in range(1, int(value) + 1)
    ]
    names = tuple(each.name for each in nodes)
    processes = tuple(
        replace(each, peers=(*each.peers, *names)) if each.name in topology.entries else each
        for each in topology.processes
    )
    return replace(topology, processes=(*nodes, *processes)), spec


OPTION = Option(
    name="cache",
    about="from how many nodes of a cache the status and the result of a job that has ended are "
    "read, before whoever owns them; 0 for none",
    values=Number(0, MOST, "nodes", whole=True),
    default="0",
    apply=_apply,
    buys="the owner and its store are asked once for an answer that is read often, and it is there "
    "while they are not",
    costs="a Redis more for each node, a round trip for every read, and a copy of every answer",
    services=("redis-server",),
    shapes=True,
)
