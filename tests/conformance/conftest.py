"""Every store, opened empty: one suite says what all of them do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import pytest
from redis import Redis

from common.services import postgres, redis
from common.stores.memory import MemoryStore
from common.stores.postgres import PostgresStore
from common.stores.redis import RedisStore
from common.stores.store import Store
from tests.support.owners import HandClock
from tests.support.services import running
from tests.support.stacks import free_port
from tests.support.stores import Jobs, OpenQueue, Queue, Unwatched, settings_of

SERVERS = ("redis", "postgres")


@pytest.fixture(scope="session")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of the session's own."""
    spec = redis.server("redis", free_port())
    with running(spec, tmp_path_factory.mktemp("redis"), redis_fsync="no") as address:
        yield address


@pytest.fixture(scope="session")
def postgres_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of the session's own."""
    spec = postgres.server("postgres", free_port(), ("store",))
    with running(spec, tmp_path_factory.mktemp("postgres"), pg_sync="off") as address:
        yield address


async def _emptied(address: str) -> None:
    connection = await asyncpg.connect(f"postgresql://store@{address}/store")
    try:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()


STORES = ["memory", *(pytest.param(name, marks=pytest.mark.needs(name)) for name in SERVERS)]


@pytest.fixture(params=STORES)
def opened(request: pytest.FixtureRequest) -> Callable[..., Store]:
    """Opens a store that is empty: with a clock, and settings by name."""
    if request.param == "memory":
        return lambda clock, **given: MemoryStore(settings_of(**given), clock)
    if request.param == "postgres":
        address = request.getfixturevalue("postgres_address")
        asyncio.run(_emptied(address))
        return lambda clock, **given: PostgresStore(
            settings_of(store="postgres", peers={"postgres": address}, **given), clock, Unwatched()
        )
    address = request.getfixturevalue("redis_address")
    with Redis(port=int(address.rpartition(":")[2])) as client:
        client.flushall()
    return lambda clock, **given: RedisStore(
        settings_of(store="redis", peers={"redis": address}, **given), clock, Unwatched()
    )


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def open_store(opened: Callable[..., Store], clock: HandClock) -> AsyncIterator[Any]:
    """Opens the store with settings by name, and closes it after the test."""
    stores: list[Store] = []

    def open_(**given: Any) -> Store:
        stores.append(opened(clock, **given))
        return stores[-1]

    yield open_
    for store in stores:
        await store.close()


@pytest.fixture
async def jobs(open_store: Any, clock: HandClock) -> Jobs:
    return Jobs(open_store(), clock)


@pytest.fixture
async def open_queue(open_store: Any, clock: HandClock) -> OpenQueue:
    """Opens the queue with limits by name."""

    def open_(max_jobs: int = 100, max_bytes: int = 1000) -> Queue:
        return Queue(open_store(max_queued_jobs=max_jobs, max_queued_bytes=max_bytes), clock)

    return open_


@pytest.fixture
async def queue(open_queue: OpenQueue) -> Queue:
    return open_queue()
