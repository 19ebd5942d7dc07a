"""Connections to a Redis are ended from its side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from redis.asyncio import Redis

from common.process_spec import REDIS, REDIS_CACHE
from testbed.runs.faults.kind import Parameter, Parameters
from testbed.runs.faults.servers import agent
from testbed.runs.faults.servers.server import Server


async def act(server: Server, parameters: Parameters, begun: Callable[[], None]) -> None:
    """End the connections of all clients, again and again."""
    async with Redis(host=server.host, port=server.port, single_connection_client=True) as redis:
        await redis.ping()
        begun()
        while True:
            await redis.client_kill_filter(_type="normal", skipme=True)
            await asyncio.sleep(1 / parameters["per_s"])


KIND = agent.kind(
    "client_kill",
    "The connections of all clients are ended at once (CLIENT KILL), again and again.",
    (REDIS, REDIS_CACHE),
    parameters=(Parameter("per_s", "so often a second", 1, 0.01, 1000),),
)
