"""Where the state of a stack is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from common.config import MEMORY, POSTGRES, QUEUE_LIMITS, REDIS, STORES
from common.options.option import Option, OptionError, Started
from common.options.values import Choice
from common.process_spec import MEMORY as IN_MEMORY
from common.process_spec import NOTHING, ProcessSpec
from common.services import postgres, redis
from common.stack_spec import StackSpec
from common.topology import Topology, role_of


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    if value == MEMORY:
        return topology, spec
    holders = [each for each in topology.processes if each.holds == IN_MEMORY]
    if not topology.stores_port or not holders:
        raise OptionError(f"design {topology.design} has no state that could be kept elsewhere")
    make = {REDIS: _redis, POSTGRES: _postgres}[value]
    servers, server_of = make(holders, topology.stores_port)
    homes = {each.name for each in holders if each.home is not None}
    processes = tuple(
        _moved(each, homes, server_of[each.name]) if each in holders else each
        for each in topology.processes
    )
    defaults = {name: each for name, each in topology.defaults.items() if name not in QUEUE_LIMITS}
    return (
        replace(topology, processes=(*servers, *processes), defaults=defaults),
        replace(spec, settings={**spec.settings, "store": value}),
    )


def _moved(process: ProcessSpec, homes: set[str], server: str) -> ProcessSpec:
    """Return a process without state; where all have the same, none asks another one for it."""
    peers = tuple(each for each in process.peers if each not in homes)
    settings = {name: each for name, each in process.settings.items() if name not in QUEUE_LIMITS}
    return replace(process, holds=NOTHING, home=None, peers=(*peers, server), settings=settings)


def _redis(holders: Sequence[ProcessSpec], port: int) -> tuple[list[ProcessSpec], dict[str, str]]:
    """Return a Redis for each service that owns something, or one for all equal nodes."""
    names = {each.name: f"redis-{each.name}" if each.home is None else "redis" for each in holders}
    servers = [
        redis.server(name, port + number)
        for number, name in enumerate(dict.fromkeys(names.values()))
    ]
    return servers, names


def _postgres(
    holders: Sequence[ProcessSpec], port: int
) -> tuple[list[ProcessSpec], dict[str, str]]:
    """Return one server, with a database for each service that owns something."""
    databases = dict.fromkeys(role_of(each.name) for each in holders)
    server = postgres.server("postgres", port, tuple(databases))
    return [server], dict.fromkeys((each.name for each in holders), server.name)


OPTION = Option(
    name="store",
    about="where state is kept: in the memory of whoever owns it, in Redis, or in PostgreSQL",
    values=Choice(STORES),
    default=MEMORY,
    apply=_apply,
    buys="redis, postgres: whichever process ends, an accepted job and its result are still there; "
    "in design B every node answers for every job by itself",
    costs="redis, postgres: a server more, and round trips to it for every job",
    facts=("store", "durability", "redis_fsync", "pg_sync"),
    services=("redis-server", "postgres"),
    shapes=True,
)
