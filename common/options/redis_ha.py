"""Whether there are copies of each Redis, one of which takes over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from common.config import OFF, REDIS, REDIS_HA
from common.options.option import Option, Started
from common.options.values import Choice
from common.process_spec import REDIS as SERVICE
from common.process_spec import ProcessSpec
from common.services import redis, sentinel
from common.stack_spec import StackSpec
from common.topology import Topology

COPIES = 3
SENTINELS = 3
# From the first port of the servers that keep state to that of the first sentinel.
_SENTINEL_PORTS = 9


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    if value == OFF:
        return topology, spec
    servers = [each.name for each in topology.processes if each.service == SERVICE]
    first = topology.stores_port
    watching = sentinel.names(SENTINELS)
    copies: dict[str, list[ProcessSpec]] = {}
    for number, name in enumerate(servers):
        start = first + number * COPIES
        copies[name] = redis.copies(name, range(start, start + COPIES), watching)
    clusters = {name: [each.name for each in found] for name, found in copies.items()}
    ports = range(first + _SENTINEL_PORTS, first + _SENTINEL_PORTS + SENTINELS)
    processes = (
        *(each for found in copies.values() for each in found),
        *sentinel.sentinels(ports, clusters),
        *(
            replace(each, peers=_peers(each.peers, clusters, watching))
            for each in topology.processes
            if each.name not in clusters
        ),
    )
    return (
        replace(topology, processes=processes),
        replace(spec, settings={**spec.settings, "redis_ha": value}),
    )


def _peers(
    peers: Sequence[str], clusters: Mapping[str, Sequence[str]], watching: Sequence[str]
) -> tuple[str, ...]:
    """Return whom a process calls, with the copies and who watches them for each Redis."""
    found = [name for peer in peers for name in clusters.get(peer, (peer,))]
    return (*found, *(watching if len(found) > len(peers) else ()))


OPTION = Option(
    name="redis_ha",
    about="whether there are three copies of each Redis, and three sentinels that make another one "
    "the primary when it is away; with store=redis",
    values=Choice(REDIS_HA),
    default=OFF,
    apply=_apply,
    buys="sentinel: a Redis that is lost is replaced within seconds, and so is its machine",
    costs="sentinel: three servers for each one, and three that watch them; what the primary had "
    "answered and no replica had yet is lost with it",
    facts=("redis_ha", "durability"),
    goes_with={"store": REDIS},
    shapes=True,
)
