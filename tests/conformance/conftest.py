"""Every store, opened empty: one suite says what all of them do."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import asyncpg
import pytest

from common.services import postgres, redis
from common.stores.memory import MemoryStore
from common.stores.postgres import PostgresStore
from common.stores.redis import RedisStore
from common.stores.store import Store
from tests.support.owners import HandClock
from tests.support.services import running
from tests.support.stacks import free_port
from tests.support.stores import Jobs, OpenQueue, Queue, Unwatched, settings_of

SERVERS = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("redis", "postgres")]


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


def _memory(_: str, clock: HandClock, **given: Any) -> Store:
    return MemoryStore(settings_of(**given), clock)


def _redis(address: str, clock: HandClock, **given: Any) -> Store:
    settings = settings_of(store="redis", peers={"redis": address}, **given)
    return RedisStore(settings, clock, Unwatched())


def _postgres(address: str, clock: HandClock, **given: Any) -> Store:
    settings = settings_of(store="postgres", peers={"postgres": address}, **given)
    return PostgresStore(settings, clock, Unwatched())


def _flush(address: str) -> None:
    words = ("redis-cli", "-p", address.rpartition(":")[2], "FLUSHALL")
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def _truncate(address: str) -> None:
    asyncio.run(_emptied(address))


_OPEN: dict[str, Callable[..., Store]] = {
    "memory": _memory,
    "redis": _redis,
    "postgres": _postgres,
}
_EMPTY: dict[str, Callable[[str], None]] = {
    "memory": lambda _: None,
    "redis": _flush,
    "postgres": _truncate,
}


def _address_of(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return ""
    address: str = request.getfixturevalue(f"{request.param}_address")
    return address


@pytest.fixture(params=["memory", *SERVERS])
def opened(request: pytest.FixtureRequest) -> Callable[..., Store]:
    """Opens a store that is empty: with a clock, and settings by name."""
    address = _address_of(request)
    _EMPTY[request.param](address)
    return partial(_OPEN[request.param], address)


@pytest.fixture(params=SERVERS)
def open_empty(request: pytest.FixtureRequest) -> Callable[..., Store]:
    """Empties a store that is outside the process each time that it opens it."""
    address = _address_of(request)

    def open_(clock: HandClock, **given: Any) -> Store:
        _EMPTY[request.param](address)
        return _OPEN[request.param](address, clock, **given)

    return open_


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
