"""A store that keeps all in one Redis."""

from __future__ import annotations

from collections.abc import Sequence

from common.config import Settings
from common.domain.ids import IdMint
from common.ports import Clock, JobObserver, QueueObserver
from common.stores.redis import scripts
from common.stores.redis.connection import Connection
from common.stores.redis.jobs import RedisJobs
from common.stores.redis.queue import RedisQueue
from common.stores.redis.results import RedisResults

PEER = "redis"
"""The name of the peer in the settings."""


class RedisStore:
    """The ``Store`` port over one Redis."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._address = settings.peers[PEER]
        self._connections: list[Connection] = []

    def jobs(self, mint: IdMint, observer: JobObserver) -> RedisJobs:
        """Open the job owner."""
        connection = self._connect("jobs", scripts.JOBS)
        return RedisJobs(connection, mint, self._clock, observer, self._settings.retention)

    def queue(self, observer: QueueObserver) -> RedisQueue:
        """Open the queue owner."""
        settings = self._settings
        return RedisQueue(
            self._connect("queue", scripts.QUEUE),
            self._clock,
            observer,
            settings.lease,
            settings.max_queued_jobs,
            settings.max_queued_bytes,
        )

    def results(self) -> RedisResults:
        """Open the result owner."""
        return RedisResults(self._connect("", scripts.RESULTS), self._settings.retention)

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            await connection.close()

    def _connect(self, shared: str, names: Sequence[str]) -> Connection:
        self._connections.append(Connection(PEER, self._address, shared, names))
        return self._connections[-1]
