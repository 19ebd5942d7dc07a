"""How full a Redis is, and who follows it: metrics of the server of a store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from common.stores.redis.connection import Connection

EVERY = 5.0
"""Seconds between two samples."""
TOO_OLD = 15.0
"""Seconds after which a sample is shown no longer: the server is not reached."""


class Figures(Collector):
    """Samples them, and shows the last sample."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._due = 0.0
        self._sampled_at = 0.0
        self._found: Mapping[str, float] = {}

    async def sample(self, reports: bool) -> None:
        """Read them now and then, if this process reports for all; else show nothing."""
        if not reports:
            self._found = {}
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY
            said: bytes = await self._connection.ask("figures", "INFO", "memory", "replication")
            self._found = read(said.decode())
            self._sampled_at = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        """Yield what was sampled last, unless that is long ago; no limit and no lag without one."""
        if time.monotonic() > self._sampled_at + TOO_OLD:
            return
        for name, help_text in (
            ("memory_bytes", "Memory that the server has in use"),
            ("memory_limit_bytes", "Memory beyond which it begins no job (maxmemory)"),
            ("replicas", "Replicas that follow the primary"),
            ("replica_lag_bytes", "What the slowest of them has not acknowledged"),
        ):
            if name in self._found:
                yield GaugeMetricFamily(
                    f"taskqueue_store_{name}", help_text, value=self._found[name]
                )


def read(said: str) -> dict[str, float]:
    """Return the figures in an answer to ``INFO``, by the end of their names."""
    fields = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    slaves = [
        dict(part.split("=", 1) for part in fields[name].split(","))
        for name in (f"slave{number}" for number in range(int(fields["connected_slaves"])))
        if name in fields
    ]
    following = [int(each["offset"]) for each in slaves if each["state"] == "online"]
    found = {"memory_bytes": float(fields["used_memory"]), "replicas": float(len(following))}
    if limit := float(fields["maxmemory"]):
        found["memory_limit_bytes"] = limit
    if following:
        lag = int(fields["master_repl_offset"]) - min(following)
        found["replica_lag_bytes"] = float(max(0, lag))
    return found
