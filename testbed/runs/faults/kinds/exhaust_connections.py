"""Somebody else takes every connection that a database has left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg

from common.process_spec import POSTGRES
from testbed.runs.faults.kind import Parameters
from testbed.runs.faults.servers import agent, postgres
from testbed.runs.faults.servers.server import Server

_AGAIN = 0.25


async def act(server: Server, _parameters: Parameters, begun: Callable[[], None]) -> None:
    """Connect as a role of the stack, for which nothing is reserved, and take what gets free."""
    control = await postgres.connect(server)
    (name, *_) = await postgres.databases(control)
    taken: list[postgres.Connection] = []
    full = False
    while not control.is_closed():
        try:
            taken.append(await postgres.connect(server, name, name))
        except asyncpg.TooManyConnectionsError:
            if not full:
                full = True
                begun()
            await asyncio.sleep(_AGAIN)


KIND = agent.kind(
    "exhaust_connections",
    "All connections that max_connections leaves are taken, and those that become free: who has "
    "some keeps them, and nobody gets another.",
    (POSTGRES,),
)
