"""Somebody runs long analytic reads over the tables that a queue lives on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import chain, repeat

from common.process_spec import POSTGRES
from testbed.runs.faults.kind import Parameter, Parameters, seconds_of
from testbed.runs.faults.servers import agent, postgres
from testbed.runs.faults.servers.server import Server

_TABLES = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = \
'public'::regnamespace"
# Reads every row and all that is in it.
_READ = "SELECT count(*), sum(length(t::text)) FROM {} t"


async def act(server: Server, parameters: Parameters, begun: Callable[[], None]) -> None:
    """Read on each connection with a snapshot that is renewed now and then, never all at once."""
    names = await postgres.databases(await postgres.connect(server))
    count, lasts = int(parameters["connections"]), parameters["snapshot_s"]
    readers = [await postgres.connect(server, names[at % len(names)]) for at in range(count)]
    # The first snapshot of each lasts a little longer than that of the one before.
    terms = [chain([lasts * (1 + at / count)], repeat(lasts)) for at in range(count)]
    rest = parameters["rest_ms"] / 1000
    begun()
    await asyncio.gather(*(_read(*each, rest) for each in zip(readers, terms, strict=True)))


async def _read(connection: postgres.Connection, lasts: Iterable[float], rest: float) -> None:
    """Read all tables with one snapshot after the other, each for so many seconds."""
    clock = asyncio.get_running_loop().time
    tables = [row[0] for row in await connection.fetch(_TABLES)]
    for seconds in lasts:
        until = clock() + seconds
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            while clock() < until:
                for table in tables:
                    await connection.fetch(_READ.format(table))
                    await asyncio.sleep(rest)


KIND = agent.kind(
    "readers",
    "Several connections read whole tables again and again, each with a snapshot that it keeps for "
    "a while; they overlap, so that there is always an old one.",
    (POSTGRES,),
    parameters=(
        Parameter("connections", "so many read at the same time", 4, 1, 50),
        Parameter("snapshot_s", "seconds for which each keeps a snapshot", 20, 0.1, 3600),
        Parameter("rest_ms", "rest of each after a table", 50, 0, 60_000),
    ),
    seconds=seconds_of(30.0),
)
