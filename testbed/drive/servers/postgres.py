"""What a PostgreSQL waits for and how its tables are, over connections that are kept open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncpg

from testbed.drive.servers.page import line

# Names of the series. Backends are those of services that run a statement, by what they wait for.
BACKENDS = "postgres_active_backends"
DEAD = "postgres_dead_tuples"
BYTES = "postgres_table_bytes"
VACUUMS = "postgres_vacuums_total"
NOTIFICATIONS = "postgres_notification_queue_used"
SNAPSHOT = "postgres_oldest_snapshot_seconds"
WAL = "postgres_wal_bytes_total"
CONNECTIONS = "postgres_connections"
COMMITS = "postgres_commits_total"
# Of a server with copies: 1 for the primary, and by how much the replica that is furthest behind it
# lags. Only the primary knows of a lag.
PRIMARY = "postgres_is_primary"
LAG = "postgres_replication_lag_bytes"
# A backend that waits for nothing computes.
COMPUTES = "CPU"

# The superuser may connect when nobody else may any more. It watches and injects faults: what it
# does itself is none of the stack's.
_SUPERUSER = "postgres"
_NAME = "testbed watch"
_DATABASES = """
SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1
"""
_WAITS = """
SELECT coalesce(wait_event_type || ':' || wait_event, 'CPU') AS wait, count(*) AS backends
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND state = 'active' AND usename <> 'postgres'
GROUP BY 1
"""
# A replica writes nothing: its log ends with what it has received.
_WHOLE = """
WITH server AS MATERIALIZED (
    SELECT pg_is_in_recovery() AS is_replica,
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()
             ELSE pg_current_wal_lsn() END AS wal_end
)
SELECT
    pg_notification_queue_usage() AS notifications,
    pg_wal_lsn_diff(wal_end, '0/0')::float8 AS wal,
    NOT is_replica AS primary,
    CASE WHEN NOT is_replica THEN coalesce(
        (SELECT max(pg_wal_lsn_diff(wal_end, replay_lsn)) FROM pg_stat_replication
         WHERE application_name <> 'pg_basebackup'), 0)::float8 END AS lag,
    coalesce(max(extract(epoch FROM clock_timestamp() - xact_start))
        FILTER (WHERE backend_xmin IS NOT NULL), 0)::float8 AS snapshot,
    count(pid) AS connections,
    (SELECT sum(xact_commit)::float8 FROM pg_stat_database
     WHERE datname <> 'postgres') AS commits
FROM server LEFT JOIN pg_stat_activity
    ON backend_type = 'client backend' AND application_name <> 'testbed watch'
GROUP BY wal_end, is_replica
"""
_TABLES = """
SELECT relname, n_dead_tup, pg_total_relation_size(relid) AS bytes,
       vacuum_count + autovacuum_count AS vacuums
FROM pg_stat_user_tables
"""


class PostgresAsked:
    """Asks a PostgreSQL at a port of a host. An answer may take ``within`` seconds.

    Each statement is a transaction of its own, so that no snapshot is held.
    """

    def __init__(self, host: str, port: int, within: float) -> None:
        self._host, self._port = host, port
        self._within = within
        self._opened: dict[str, asyncpg.Connection] = {}
        # A wait that is over has no backends; it would else keep those that it had.
        self._waits: dict[str, int] = {}

    async def page(self) -> str:
        """Return the page of now; connect first if there is no connection any more."""
        if not self._opened:
            await self._connect()
        first = next(iter(self._opened.values()))
        waits = {row["wait"]: row["backends"] for row in await first.fetch(_WAITS)}
        self._waits = {**dict.fromkeys(self._waits, 0), **waits}
        lines = [line(BACKENDS, count, wait=wait) for wait, count in self._waits.items()]
        lines += _whole(await first.fetchrow(_WHOLE))
        for database, connection in self._opened.items():
            for row in await connection.fetch(_TABLES):
                lines += _table(database, row)
        return "\n".join(lines)

    async def close(self) -> None:
        """Give up all connections at once."""
        for each in self._opened.values():
            each.terminate()
        self._opened = {}

    async def _connect(self) -> None:
        superuser = await self._open(_SUPERUSER)
        try:
            names = [row["datname"] for row in await superuser.fetch(_DATABASES)]
        finally:
            superuser.terminate()
        for name in names:
            self._opened[name] = await self._open(name)

    async def _open(self, database: str) -> asyncpg.Connection:
        settings = {"application_name": _NAME, "statement_timeout": f"{self._within * 1000:.0f}"}
        return await asyncpg.connect(
            host=self._host,
            port=self._port,
            user=_SUPERUSER,
            database=database,
            ssl=False,
            timeout=self._within,
            server_settings=settings,
        )


def _whole(row: Any) -> Iterator[str]:
    for name, key in (
        (NOTIFICATIONS, "notifications"),
        (WAL, "wal"),
        (SNAPSHOT, "snapshot"),
        (CONNECTIONS, "connections"),
        (COMMITS, "commits"),
        (PRIMARY, "primary"),
    ):
        yield line(name, row[key] or 0)
    if row["primary"]:
        yield line(LAG, row["lag"])


def _table(database: str, row: Any) -> Iterator[str]:
    labels = {"database": database, "table": row["relname"]}
    yield line(DEAD, row["n_dead_tup"], **labels)
    yield line(BYTES, row["bytes"], **labels)
    yield line(VACUUMS, row["vacuums"], **labels)
