"""A store that keeps all in one database of PostgreSQL."""

from __future__ import annotations

from common.config import Settings
from common.domain.ids import IdMint
from common.ports import Clock, JobObserver, QueueObserver, StoreObserver
from common.stores.clock import StoreClock
from common.stores.postgres.connection import Connection
from common.stores.postgres.jobs import PostgresJobs
from common.stores.postgres.queue import PostgresQueue
from common.stores.postgres.results import PostgresResults
from common.stores.server import server_of
from common.topology import role_of

CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now"


class PostgresStore:
    """The ``Store`` port over one database."""

    remote = True

    def __init__(self, settings: Settings, clock: Clock, observer: StoreObserver) -> None:
        self._settings = settings
        self._own = clock
        self.clock = StoreClock(clock)
        self._sampled: list[PostgresJobs | PostgresQueue] = []
        self._observer = observer
        name, address = server_of(settings)
        database = database_of(settings)
        self._connection = Connection(name, f"postgresql://{database}@{address}/{database}")

    async def refresh(self) -> None:
        """Connect, migrate, compare the clocks and read what the gauges show."""
        asked = self._own.now()
        (row,) = await self._connection.rows(CLOCK)
        self.clock.compare(asked, row["now"], self._own.now())
        for part in self._sampled:
            await part.sample()

    def jobs(self, mint: IdMint, observer: JobObserver) -> PostgresJobs:
        """Open the job owner."""
        retention = self._settings.retention
        jobs = PostgresJobs(self._connection, mint, self.clock, observer, retention)
        self._sampled.append(jobs)
        return jobs

    def queue(self, observer: QueueObserver) -> PostgresQueue:
        """Open the queue owner."""
        settings = self._settings
        queue = PostgresQueue(
            self._connection,
            self.clock,
            observer,
            settings.lease,
            settings.max_queued_jobs,
            settings.max_queued_bytes,
        )
        self._sampled.append(queue)
        return queue

    def results(self) -> PostgresResults:
        """Open the result owner."""
        return PostgresResults(self._connection, self.clock, self._settings.retention)

    def shared(self, _jobs: PostgresJobs, _queue: PostgresQueue) -> None:
        """Open nothing, so far."""

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()


def database_of(settings: Settings) -> str:
    """Return the name of the database of a process, and of the role that alone may open it.

    Each service of Design A has one of its own name; the equal nodes of Design B share one.
    """
    return role_of(settings.name)
