"""What holds back vacuum and what that comes to, sessions, replicas: metrics of a database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from common.stores.postgres.connection import Connection

EVERY = 5.0
"""Seconds between two samples."""
TOO_OLD = 15.0
"""Seconds after which a sample is shown no longer: the server is not reached."""

# Snapshots of sessions in this database, of transactions that are prepared in it, and of replicas.
# A transaction that has written holds vacuum back by its id, also while it stands idle without a
# snapshot. Without an answer about others' sessions (pg_monitor) only our own are known.
# What a replica has not yet on its disk is lost if it takes over from a primary that is lost.
_SERVER = """
WITH held AS (
    SELECT extract(epoch FROM clock_timestamp() - xact_start) AS seconds,
        greatest(age(backend_xmin), age(backend_xid)) AS age
    FROM pg_stat_activity
    WHERE coalesce(backend_xmin, backend_xid) IS NOT NULL
        AND (datname = current_database() OR datname IS NULL) AND pid <> pg_backend_pid()
    UNION ALL
    SELECT extract(epoch FROM clock_timestamp() - prepared), age(transaction)
    FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL
    SELECT NULL, age(xmin) FROM pg_replication_slots WHERE xmin IS NOT NULL
), oldest AS (
    SELECT coalesce(max(seconds), 0)::float8 AS seconds,
        coalesce(max(age), 0)::float8 AS transactions
    FROM held
), following AS (
    SELECT count(*)::float8 AS replicas,
        max(pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn))::float8 AS lag
    FROM pg_stat_replication WHERE state = 'streaming'
)
SELECT *, pg_notification_queue_usage() AS notifications,
    (SELECT sum(numbackends) FROM pg_stat_database)::float8 AS sessions,
    current_setting('max_connections')::float8 AS most
FROM oldest, following
"""
_TABLES = """
SELECT relname, n_dead_tup::float8 AS dead, pg_total_relation_size(relid)::float8 AS bytes
FROM pg_stat_user_tables WHERE relname = ANY($1::text[])
"""

# The end of a metric's name, its help text, and the column that has its value.
_OF_SERVER = (
    ("oldest_snapshot_seconds", "Age of the oldest snapshot held", "seconds"),
    ("oldest_snapshot_transactions", "The same in transactions", "transactions"),
    ("notification_queue_ratio", "Part in use of the queue of NOTIFY", "notifications"),
    ("sessions", "Sessions at the server, of all databases", "sessions"),
    ("sessions_limit", "Sessions that the server takes", "most"),
    ("replicas", "Replicas that follow the primary", "replicas"),
    ("replica_lag_bytes", "What the slowest of them has not yet on its disk", "lag"),
)
_OF_TABLES = (
    ("dead_rows", "Rows that no statement sees and vacuum has not removed", "dead"),
    ("table_bytes", "Size of a table with its indexes", "bytes"),
)


class Figures(Collector):
    """Samples them for the ``tables`` that a process uses, and shows the last sample."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables: set[str] = set()
        self._due = 0.0
        self._sampled_at = 0.0
        self._server: Any = None
        self._rows: Sequence[Any] = ()

    def add(self, *tables: str) -> None:
        """Show these tables too."""
        self._tables.update(tables)

    async def sample(self, leads: bool) -> None:
        """Read them now and then, if this process reports for all; else show nothing."""
        if not leads:
            self._server, self._rows = None, ()
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY
            (self._server,) = await self._connection.rows("figures", _SERVER)
            self._rows = await self._connection.rows("figures", _TABLES, sorted(self._tables))
            self._sampled_at = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        """Yield what was sampled last, unless that is long ago."""
        if time.monotonic() > self._sampled_at + TOO_OLD:
            return
        for name, help_text, column in _OF_SERVER:
            if self._server is not None and (value := self._server[column]) is not None:
                yield GaugeMetricFamily(f"taskqueue_store_{name}", help_text, value=value)
        for name, help_text, column in _OF_TABLES:
            family = GaugeMetricFamily(f"taskqueue_store_{name}", help_text, labels=["table"])
            for row in self._rows:
                family.add_metric([row["relname"]], row[column])
            yield family
