"""A store that keeps all in one Redis."""

from __future__ import annotations

from collections.abc import Mapping

from common.config import Settings
from common.domain.ids import IdMint
from common.domain.job import MICROSECONDS
from common.ports import Clock, JobObserver, QueueObserver, StoreObserver
from common.stores.clock import StoreClock
from common.stores.redis import scripts
from common.stores.redis.connection import Connection
from common.stores.redis.jobs import RedisJobs
from common.stores.redis.queue import RedisQueue
from common.stores.redis.results import RedisResults
from common.stores.redis.shared import RedisShared
from common.stores.server import server_of


class RedisStore:
    """The ``Store`` port over one Redis."""

    remote = True

    def __init__(self, settings: Settings, clock: Clock, observer: StoreObserver) -> None:
        self._settings = settings
        self._name, self._address = server_of(settings)
        self._own = clock
        self.clock = StoreClock(clock)
        self._sampled: list[RedisJobs | RedisQueue] = []
        self._observer = observer
        self._connections: list[Connection] = []

    async def refresh(self) -> None:
        """Connect, compare the clocks and read what the gauges show."""
        for connection in self._connections:
            asked = self._own.now()
            seconds, micros = await connection.time()
            theirs = int(seconds) * MICROSECONDS + int(micros)
            self.clock.compare(asked, theirs, self._own.now())
        for part in self._sampled:
            await part.sample()

    def jobs(self, mint: IdMint, observer: JobObserver) -> RedisJobs:
        """Open the job owner."""
        connection = self._connect(scripts.JOBS)
        retention = self._settings.retention
        jobs = RedisJobs(connection, mint, self.clock, observer, retention)
        self._sampled.append(jobs)
        return jobs

    def queue(self, observer: QueueObserver) -> RedisQueue:
        """Open the queue owner."""
        settings = self._settings
        queue = RedisQueue(
            self._connect(scripts.QUEUE),
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
        return RedisResults(self._connect(scripts.RESULTS), self._settings.retention)

    def shared(self) -> RedisShared:
        """Open what takes steps over all three at once; they are open already."""
        jobs, queue = self._sampled
        assert isinstance(jobs, RedisJobs)
        assert isinstance(queue, RedisQueue)
        connection = self._connect(scripts.SHARED)
        return RedisShared(connection, jobs, queue, self._settings.retention)

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            await connection.close()

    def _connect(self, named: Mapping[str, tuple[str, ...]]) -> Connection:
        self._connections.append(Connection(self._name, self._address, named))
        return self._connections[-1]
