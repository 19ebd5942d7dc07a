"""Servers of a study, each of which holds its own number of jobs, and what they count."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

import asyncpg
from redis.asyncio import Redis

from common.clock import SystemClock
from common.config import POSTGRES, REDIS, Settings
from common.domain.errors import TaskQueueError
from common.domain.ids import IdMint
from common.domain.job import Job
from common.process_spec import ProcessSpec
from common.services import postgres, redis
from common.stack_spec import StackSpec
from common.stores import Store, open_store
from common.stores.store import StoredJobs
from common.topology import Topology
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime

DESIGN = "held"
HOST = "127.0.0.1"
FIRST_PORT = 50260
# Tables that grow with the jobs that are held, with their indexes.
_BUFFERS = """
SELECT coalesce(sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read), 0)::int8
FROM pg_statio_user_tables WHERE relname IN ('jobs', 'requests')
"""
_SETTLE = (
    "ALTER TABLE jobs SET (autovacuum_enabled = off)",
    "ALTER TABLE requests SET (autovacuum_enabled = off)",
    "DELETE FROM requests USING jobs WHERE jobs.state = 1 AND requests.job_id = jobs.id",
    "DELETE FROM jobs WHERE state = 1",
    "VACUUM (ANALYZE) jobs, requests",
)
_SETTLED = 0.5


class Unwatched:
    """Observes nothing of what jobs do and what a store is asked."""

    def transitioned(self, before: Job | None, after: Job) -> None:
        """Ignore a step of a job."""

    def rejected(self, error: TaskQueueError) -> None:
        """Ignore a step that was rejected."""

    def asked(self, operation: str, seconds: float) -> None:
        """Ignore a round trip."""

    def failed(self, reason: str) -> None:
        """Ignore a failure: it ends the study."""

    def connected(self, store: str, address: str) -> None:
        """Ignore a connection."""


class Held:
    """One store that holds ``count`` jobs, at ``port``."""

    def __init__(self, store: str, count: int, port: int) -> None:
        self.store = store
        self.count = count
        self.name = f"held{count}"
        self.address = f"{HOST}:{port}"
        self._port = port
        self._counted = 0

    def open(self) -> tuple[Store, StoredJobs]:
        """Open it, as a process of its own would."""
        peers = {self.store: self.address}
        settings = Settings(self.name, "", "", peers=peers, store=self.store)
        store = open_store(settings, SystemClock(), Unwatched())
        return store, store.jobs(IdMint(0, 1), Unwatched())

    async def counted(self) -> int:
        """Return what its server has counted in all: buffers of tables, or commands.

        Of PostgreSQL that is right once the connections are closed that had caused it.
        """
        if self.store == REDIS:
            server = Redis(host=HOST, port=self._port)
            commands = await server.info("commandstats")
            await server.aclose()
            return sum(each["calls"] for each in commands.values())
        before = -1
        while (now := await self._buffers()) != before:
            before = now
            await asyncio.sleep(_SETTLED)
        return now

    async def settle(self) -> None:
        """Have a PostgreSQL hold no more than its jobs that are done, and no dead rows.

        Autovacuum is off, for it would be counted with the questions. In a Redis the few jobs that
        were asked for stay.
        """
        if self.store == POSTGRES:
            connection = await self._administrator()
            for statement in _SETTLE:
                await connection.execute(statement)
            await connection.close()

    async def _buffers(self) -> int:
        connection = await self._administrator()
        try:
            return int(await connection.fetchval(_BUFFERS))
        finally:
            await connection.close()

    async def _administrator(self) -> asyncpg.Connection:
        return await asyncpg.connect(f"postgresql://postgres@{self.address}/{self.name}")


@contextlib.contextmanager
def started(stores: Sequence[str], counts: Sequence[int]) -> Iterator[list[Held]]:
    """Run the servers: one PostgreSQL with a database for each count, a Redis for each."""
    held, processes = [], list[ProcessSpec]()
    for store in stores:
        for count in counts:
            held.append(Held(store, count, FIRST_PORT + len(processes)))
            if store == REDIS:
                spec = redis.server(f"redis-{count}", FIRST_PORT + len(processes))
                processes.append(spec)
        if store == POSTGRES:
            port = FIRST_PORT + len(processes)
            processes.append(postgres.server(POSTGRES, port, [f"held{each}" for each in counts]))
    runtime = LocalRuntime()
    entries = (processes[0].name,)
    runtime.up(Topology(DESIGN, "stores alone", tuple(processes), entries), StackSpec(), silent)
    try:
        yield held
    finally:
        runtime.down(DESIGN, silent)
