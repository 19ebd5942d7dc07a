"""An administrator, or a proxy that is short of memory, ends connections of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from common.process_spec import POSTGRES
from testbed.runs.faults.kind import Parameter, Parameters
from testbed.runs.faults.servers import agent, postgres
from testbed.runs.faults.servers.server import Server

# Any of those who have a database of their own: the superuser watches, and breaks.
_END_ONE = """
SELECT pg_terminate_backend(pid) FROM (
    SELECT pid FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND usename <> $1
    ORDER BY random() LIMIT 1
) one
"""


async def act(server: Server, parameters: Parameters, begun: Callable[[], None]) -> None:
    """End one backend after the other."""
    connection = await postgres.connect(server)
    begun()
    while True:
        await connection.fetchval(_END_ONE, postgres.SUPERUSER)
        await asyncio.sleep(1 / parameters["per_s"])


KIND = agent.kind(
    "terminate_backends",
    "Backends of a stack's own connections are terminated, one after the other, drawn at random.",
    (POSTGRES,),
    parameters=(Parameter("per_s", "so many a second", 2, 0.01, 1000),),
)
