"""A store that keeps all in one database of PostgreSQL."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from common.config import Settings
from common.domain.ids import IdMint
from common.ports import Clock, JobObserver, QueueObserver, StoreObserver
from common.stores.clock import StoreClock
from common.stores.postgres.connection import Connection
from common.stores.postgres.figures import Figures
from common.stores.postgres.jobs import PostgresJobs
from common.stores.postgres.members import Members
from common.stores.postgres.queue import PostgresQueue
from common.stores.postgres.results import PostgresResults
from common.stores.postgres.shared import PostgresShared
from common.stores.postgres.usage import Usage
from common.stores.server import servers_of
from common.topology import role_of


class PostgresStore:
    """The ``Store`` port over one database, which processes share that are copies of one role."""

    remote = True

    def __init__(self, settings: Settings, clock: Clock, observer: StoreObserver) -> None:
        self._settings = settings
        self._own = clock
        self.clock = StoreClock(clock)
        servers = servers_of(settings)
        database = database_of(settings)
        copies = servers.addresses.values()
        self._connection = Connection(
            servers.name,
            [f"postgresql://{database}@{address}/{database}" for address in copies],
            observer,
            indexes=settings.retention > 0,
        )
        self._members = Members(self._connection, settings.name, shared=database != settings.name)
        self._figures = Figures(self._connection)
        self._mint: IdMint | None = None
        self._jobs: PostgresJobs | None = None
        self._queue: PostgresQueue | None = None
        self._results: PostgresResults | None = None

    def expose(self, registry: CollectorRegistry) -> None:
        """Show what holds back vacuum and what that comes to, sessions, replicas and the pool."""
        registry.register(self._figures)
        registry.register(Usage(self._connection.pool))

    async def refresh(self) -> None:
        """Connect, migrate, compare the clocks, read what the gauges show, delete what is over."""
        asked = self._own.now()
        now = await self._members.meet(self._queue is not None and self._queue.waits)
        self.clock.compare(asked, now, self._own.now())
        if self._queue is not None and self._members.shared:
            await self._queue.listen()
        if self._members.leads:
            for part in (self._jobs, self._queue, self._results):
                if part is not None:
                    await part.sweep()
        await self._figures.sample(self._members.leads)

    def jobs(self, mint: IdMint, observer: JobObserver) -> PostgresJobs:
        """Open the job owner."""
        self._figures.add("jobs", "requests")
        retention = self._settings.retention
        self._mint = mint
        self._jobs = PostgresJobs(
            self._connection, self._members, mint, self.clock, observer, retention
        )
        return self._jobs

    def queue(self, observer: QueueObserver) -> PostgresQueue:
        """Open the queue owner."""
        self._figures.add("entries")
        settings = self._settings
        self._queue = PostgresQueue(
            self._connection,
            self._members,
            self.clock,
            observer,
            settings.lease,
            settings.max_queued_jobs,
            settings.max_queued_bytes,
        )
        return self._queue

    def results(self) -> PostgresResults:
        """Open the result owner."""
        self._figures.add("results")
        self._results = PostgresResults(self._connection, self.clock, self._settings.retention)
        return self._results

    def shared(self) -> PostgresShared:
        """Open what takes steps over all three at once; they are open already."""
        assert self._mint
        assert self._jobs
        assert self._queue
        assert self._results
        return PostgresShared(self._connection, self._mint, self._jobs, self._queue, self._results)

    async def close(self) -> None:
        """Close the connections."""
        if self._queue is not None:
            self._queue.close()
        await self._connection.close()


def database_of(settings: Settings) -> str:
    """Return the name of the database of a process, and of the role that alone may open it.

    Each service of Design A has one of its own name; the equal nodes of Design B share one.
    """
    return role_of(settings.name)
