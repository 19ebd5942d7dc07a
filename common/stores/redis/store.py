"""A store that keeps all in one Redis."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from common.config import SENTINEL, Settings
from common.domain.ids import IdMint
from common.domain.job import MICROSECONDS
from common.ports import Clock, JobObserver, QueueObserver, StoreObserver
from common.stores.clock import StoreClock
from common.stores.redis.bell import Bell
from common.stores.redis.connection import Connection
from common.stores.redis.figures import Figures
from common.stores.redis.jobs import RedisJobs
from common.stores.redis.primary import PrimaryConnection
from common.stores.redis.queue import RedisQueue
from common.stores.redis.results import RedisResults
from common.stores.redis.sentinels import Sentinels
from common.stores.redis.shared import RedisShared
from common.stores.server import servers_of
from common.topology import role_of

REPORTER_LEASE = 3.0
"""Seconds after which another process reports what all share, if the one that did has ended."""


class RedisStore:
    """The ``Store`` port over one Redis, or the primary of its copies."""

    remote = True

    def __init__(self, settings: Settings, clock: Clock, observer: StoreObserver) -> None:
        self._settings = settings
        self._sentinels = sentinels_of(settings)
        self._own = clock
        self.clock = StoreClock(clock)
        self._sampled: list[RedisJobs | RedisQueue] = []
        self._observer = observer
        self._connection = self._opened(settings.redis_wait)
        self._figures = Figures(self._connection)
        self._bells: list[Bell] = []

    def expose(self, registry: CollectorRegistry) -> None:
        """Show how full the server is, and who follows it."""
        registry.register(self._figures)

    async def refresh(self) -> None:
        """Connect, compare the clocks and read what the gauges show, in one process of all."""
        asked = self._own.now()
        lease = round(REPORTER_LEASE * 1000)
        reports, *theirs = await self._connection.run("report", self._settings.name, lease)
        self.clock.compare(asked, theirs[0] * MICROSECONDS + theirs[1], self._own.now())
        for part in self._sampled:
            if reports:
                await part.sample()
            else:
                part.pause()
        await self._figures.sample(bool(reports))

    def jobs(self, mint: IdMint, observer: JobObserver) -> RedisJobs:
        """Open the job owner."""
        retention = self._settings.retention
        jobs = RedisJobs(self._connection, mint, self.clock, observer, retention)
        self._sampled.append(jobs)
        return jobs

    def queue(self, observer: QueueObserver) -> RedisQueue:
        """Open the queue owner."""
        settings = self._settings
        # Waiting has a connection of its own, on which nothing else is kept waiting.
        bell = Bell(self._opened())
        self._bells.append(bell)
        queue = RedisQueue(
            self._connection,
            bell,
            self.clock,
            observer,
            settings.lease,
            settings.max_queued_jobs,
            settings.max_queued_bytes,
        )
        self._sampled.append(queue)
        return queue

    def results(self) -> RedisResults:
        """Open the result owner."""
        return RedisResults(self._connection, self._settings.retention)

    def shared(self) -> RedisShared:
        """Open what takes steps over all three at once; they are open already."""
        jobs, queue = self._sampled
        assert isinstance(jobs, RedisJobs)
        assert isinstance(queue, RedisQueue)
        return RedisShared(self._connection, jobs, queue, self._settings.retention)

    async def close(self) -> None:
        """Close the connections."""
        for bell in self._bells:
            await bell.close()
        await self._connection.close()
        if self._sentinels is not None:
            await self._sentinels.close()

    def _opened(self, replicas: int = 0) -> Connection:
        """Return a connection to the server, or to the primary, for which ``replicas`` answer."""
        servers = servers_of(self._settings)
        if self._sentinels is None:
            return Connection(servers.name, servers.only, self._observer)
        return PrimaryConnection(servers.name, self._sentinels, self._observer, replicas)


def sentinels_of(settings: Settings) -> Sentinels | None:
    """Return those among the peers that watch the store, ``None`` if there are no copies of it."""
    if settings.redis_ha != SENTINEL:
        return None
    watching = [address for name, address in settings.peers.items() if role_of(name) == SENTINEL]
    return Sentinels(servers_of(settings).name, watching)
