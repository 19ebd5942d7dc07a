"""A transaction is left open, and what died since it began cannot be vacuumed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from common.process_spec import POSTGRES
from testbed.runs.faults.kind import Parameters, seconds_of
from testbed.runs.faults.servers import agent, postgres
from testbed.runs.faults.servers.server import Server

# A snapshot is taken by the first statement, and holds back what is vacuumed in its database alone.
_SNAPSHOT = "SELECT pg_current_snapshot()"


async def act(server: Server, _parameters: Parameters, begun: Callable[[], None]) -> None:
    """Hold a snapshot of each database."""
    names = await postgres.databases(await postgres.connect(server))
    held = [await postgres.connect(server, name) for name in names]
    for each in held:
        await each.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await each.execute(_SNAPSHOT)
    ended = asyncio.Event()
    for each in held:
        each.add_termination_listener(lambda _connection: ended.set())
    begun()
    await ended.wait()


KIND = agent.kind(
    "old_snapshot",
    "A transaction with a snapshot is left open in every database, which holds back vacuum: what "
    "dies in the tables of queues stays and is read again and again.",
    (POSTGRES,),
    seconds=seconds_of(60.0),
)
