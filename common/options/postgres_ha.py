"""Whether there are copies of the PostgreSQL, one of which takes over."""

from __future__ import annotations

from dataclasses import replace

from common.config import OFF, POSTGRES, POSTGRES_HA
from common.options.option import Option, Started
from common.options.values import Choice
from common.process_spec import POSTGRES as SERVICE
from common.services import etcd, patroni
from common.stack_spec import StackSpec
from common.topology import Topology, role_of

COPIES = 3
# One alone would be what all three copies depend on.
DECIDING = 3


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    if value == OFF:
        return topology, spec
    (server,) = (each for each in topology.processes if each.service == SERVICE)
    users = [each for each in topology.processes if server.name in each.peers]
    # Blocks of ports in a row: PostgreSQL, Patroni, and etcd for its clients and for its own.
    starts = range(topology.stores_port, topology.stores_port + 2 * COPIES + 2 * DECIDING, COPIES)
    sql, rest, clients, own = (range(start, start + COPIES) for start in starts)
    databases = tuple(dict.fromkeys(role_of(each.name) for each in users))
    copies = patroni.copies(server.name, sql, rest, etcd.names(DECIDING), databases)
    names = tuple(each.name for each in copies)
    moved = [
        replace(each, peers=tuple(_named(each.peers, server.name, names)))
        for each in topology.processes
        if each is not server
    ]
    return (
        replace(topology, processes=(*etcd.servers(clients, own), *copies, *moved)),
        replace(spec, settings={**spec.settings, "postgres_ha": value}),
    )


def _named(peers: tuple[str, ...], server: str, copies: tuple[str, ...]) -> list[str]:
    """Return peers with the copies of a server in its place."""
    return [name for peer in peers for name in (copies if peer == server else (peer,))]


OPTION = Option(
    name="postgres_ha",
    about="whether there are three copies of the PostgreSQL under Patroni, and three etcd by which "
    "they agree on another primary when it is away; with store=postgres",
    values=Choice(POSTGRES_HA),
    default=OFF,
    apply=_apply,
    buys="patroni: a PostgreSQL that is lost is replaced within half a minute, and so is its "
    "machine",
    costs="patroni: three servers for one, and three that agree; with pg_replication=async what "
    "the primary had answered and no replica had yet is lost with it",
    facts=("postgres_ha", "durability"),
    goes_with={"store": POSTGRES},
    services=("patroni", "etcd"),
    shapes=True,
)
