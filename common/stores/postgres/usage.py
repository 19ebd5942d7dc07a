"""How many connections of a process are in use: metrics of its pool."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from common.stores.postgres.pool import Pool


class Usage(Collector):
    """Reads a pool when it is scraped."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        """Yield what is in use now, what may be, and for how long others have waited."""
        yield GaugeMetricFamily(
            "taskqueue_store_connections_used",
            "Connections on which a statement is under way",
            value=self._pool.used,
        )
        yield GaugeMetricFamily(
            "taskqueue_store_connections_limit",
            "Connections that there may be for statements",
            value=self._pool.most,
        )
        yield CounterMetricFamily(
            "taskqueue_store_pool_waiting_seconds",
            "Time that statements have waited for a connection, or for one to be made",
            value=self._pool.waited,
        )
