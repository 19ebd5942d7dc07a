"""A store that keeps all in one Redis."""

from __future__ import annotations

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

    def jobs(self, mint: IdMint, observer: JobObserver) -> RedisJobs:
        """Open the job owner."""
        connection = Connection(PEER, self._address, "jobs", scripts.JOBS)
        return RedisJobs(connection, mint, self._clock, observer, self._settings.retention)

    def queue(self, observer: QueueObserver) -> RedisQueue:
        """Open the queue owner."""
        settings = self._settings
        return RedisQueue(
            Connection(PEER, self._address, "queue", scripts.QUEUE),
            self._clock,
            observer,
            settings.lease,
            settings.max_queued_jobs,
            settings.max_queued_bytes,
        )

    def results(self) -> RedisResults:
        """Open the result owner."""
        connection = Connection(PEER, self._address, "", scripts.RESULTS)
        return RedisResults(connection, self._settings.retention)
