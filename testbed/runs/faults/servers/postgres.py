"""Connections to a PostgreSQL of a stack, for the agents that hold its faults."""

from __future__ import annotations

import asyncpg

from testbed.runs.faults.servers.server import Server

# Who may do all, and which database is nobody's.
SUPERUSER = "postgres"
NAME = "testbed fault"
_TIMEOUT = 10.0

Connection = asyncpg.Connection


async def connect(server: Server, database: str = SUPERUSER, user: str = SUPERUSER) -> Connection:
    """Open a connection. Raises what asyncpg raises.

    Its backend sees within half a second that its agent has ended, also in a long statement.
    """
    return await asyncpg.connect(
        host=server.host,
        port=server.port,
        user=user,
        database=database,
        timeout=_TIMEOUT,
        ssl=False,
        server_settings={"application_name": NAME, "client_connection_check_interval": "500ms"},
    )


async def databases(connection: Connection) -> list[str]:
    """Name the databases that services have: each with a role of that name."""
    rows = await connection.fetch(
        "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> $1 ORDER BY 1",
        SUPERUSER,
    )
    return [row["datname"] for row in rows]
