"""A store that keeps all in one database of PostgreSQL."""

from __future__ import annotations

from common.config import Settings
from common.domain.ids import IdMint
from common.ports import Clock, JobObserver, QueueObserver
from common.stores.postgres.connection import Connection
from common.stores.postgres.jobs import PostgresJobs
from common.stores.postgres.queue import PostgresQueue
from common.stores.postgres.results import PostgresResults

PEER = "postgres"
"""The name of the peer in the settings."""


class PostgresStore:
    """The ``Store`` port over one database."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._connection = Connection(PEER, f"postgresql://postgres@{settings.peers[PEER]}/postgres")

    def jobs(self, mint: IdMint, observer: JobObserver) -> PostgresJobs:
        """Open the job owner."""
        retention = self._settings.retention
        return PostgresJobs(self._connection, mint, self._clock, observer, retention)

    def queue(self, observer: QueueObserver) -> PostgresQueue:
        """Open the queue owner."""
        settings = self._settings
        return PostgresQueue(
            self._connection,
            self._clock,
            observer,
            settings.lease,
            settings.max_queued_jobs,
            settings.max_queued_bytes,
        )

    def results(self) -> PostgresResults:
        """Open the result owner."""
        return PostgresResults(self._connection, self._clock, self._settings.retention)

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()
