"""What holds back vacuum, and what that comes to: metrics of the database of a store."""

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

# Snapshots of sessions in this database, of transactions that are prepared in it, and of replicas.
# Without an answer about others' sessions (pg_monitor) only our own are known.
_SNAPSHOTS = """
WITH held AS (
    SELECT extract(epoch FROM clock_timestamp() - xact_start) AS seconds, age(backend_xmin) AS age
    FROM pg_stat_activity
    WHERE backend_xmin IS NOT NULL AND (datname = current_database() OR datname IS NULL)
        AND pid <> pg_backend_pid()
    UNION ALL
    SELECT extract(epoch FROM clock_timestamp() - prepared), age(transaction)
    FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL
    SELECT NULL, age(xmin) FROM pg_replication_slots WHERE xmin IS NOT NULL
)
SELECT coalesce(max(seconds), 0)::float8 AS seconds, coalesce(max(age), 0)::float8 AS transactions,
    pg_notification_queue_usage() AS notifications
FROM held
"""
_TABLES = """
SELECT relname, n_dead_tup::float8 AS dead, pg_total_relation_size(relid)::float8 AS bytes
FROM pg_stat_user_tables WHERE relname = ANY($1::text[])
"""


class Figures(Collector):
    """Samples them for the ``tables`` that a process uses, and shows the last sample."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables: set[str] = set()
        self._due = 0.0
        self._snapshots: Any = None
        self._rows: Sequence[Any] = ()

    def add(self, *tables: str) -> None:
        """Show these tables too."""
        self._tables.update(tables)

    async def sample(self, leads: bool) -> None:
        """Read them now and then, if this process reports for all; else show nothing."""
        if not leads:
            self._snapshots, self._rows = None, ()
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY
            (self._snapshots,) = await self._connection.rows("figures", _SNAPSHOTS)
            self._rows = await self._connection.rows("figures", _TABLES, sorted(self._tables))

    def collect(self) -> Iterator[Metric]:
        """Yield what was sampled last."""
        if self._snapshots is not None:
            for name, help_text, column in (
                ("oldest_snapshot_seconds", "Age of the oldest snapshot held", "seconds"),
                ("oldest_snapshot_transactions", "The same in transactions", "transactions"),
                ("notification_queue_ratio", "Part in use of the queue of NOTIFY", "notifications"),
            ):
                yield GaugeMetricFamily(
                    f"taskqueue_store_{name}", help_text, value=self._snapshots[column]
                )
        for name, help_text, column in (
            ("dead_rows", "Rows that no statement sees and vacuum has not removed", "dead"),
            ("table_bytes", "Size of a table with its indexes", "bytes"),
        ):
            family = GaugeMetricFamily(f"taskqueue_store_{name}", help_text, labels=["table"])
            for row in self._rows:
                family.add_metric([row["relname"]], row[column])
            yield family
