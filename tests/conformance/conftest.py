"""Every store, opened empty: one suite says what all of them do."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import pytest

from common.domain.job import MICROSECONDS
from common.owners.queue import QueueOwner
from common.services import postgres, redis
from common.stores.memory import MemoryStore
from common.stores.postgres import PostgresStore, leases
from common.stores.postgres import queue as postgres_queue
from common.stores.redis import RedisStore, bell
from common.stores.store import Store
from tests.support.owners import HandClock
from tests.support.ports import free_port
from tests.support.services import open_folder, running
from tests.support.stores import Asked, Jobs, OpenQueue, Queue, settings_of
from tests.support.waiting import eventually_async

SERVERS = ("redis", "postgres")


@pytest.fixture(scope="session")
def redis_address() -> Iterator[str]:
    """A Redis of the session's own."""
    spec = redis.server("redis", free_port())
    with open_folder() as folder, running(spec, folder, redis_fsync="no") as address:
        yield address


@pytest.fixture(scope="session")
def postgres_address() -> Iterator[str]:
    """A PostgreSQL of the session's own."""
    spec = postgres.server("postgres", free_port(), ("store",))
    with open_folder() as folder, running(spec, folder, pg_sync="off") as address:
        yield address


async def _emptied(address: str) -> None:
    connection = await asyncpg.connect(f"postgresql://store@{address}/store")
    try:
        tables = await connection.fetchval(
            "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables "
            "WHERE schemaname = 'public' AND tablename <> 'migrations'"
        )
        if tables:
            # Faster than to make them anew.
            await connection.execute(f"TRUNCATE {tables}")
    finally:
        await connection.close()


def _opener(
    store: str, request: pytest.FixtureRequest, observer: Asked
) -> tuple[Callable[..., Store], Callable[[], None]]:
    """Return what opens a store, with a clock and settings by name, and what empties it."""
    if store == "memory":
        return (lambda clock, **given: MemoryStore(settings_of(**given), clock)), lambda: None
    address = request.getfixturevalue(f"{store}_address")
    stores: dict[str, Callable[..., Store]] = {"redis": RedisStore, "postgres": PostgresStore}
    open_ = stores[store]

    def opened(clock: HandClock, **given: Any) -> Store:
        settings = settings_of(store=store, peers={store: address}, **given)
        return open_(settings, clock, observer)

    if store == "redis":
        return opened, lambda: _flush(address)
    return opened, lambda: asyncio.run(_emptied(address))


def _flush(address: str) -> None:
    words = ("redis-cli", "-p", address.rpartition(":")[2], "FLUSHALL")
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


REMOTE = [pytest.param(name, marks=pytest.mark.needs(name)) for name in SERVERS]


@pytest.fixture(params=["memory", *REMOTE])
def opened(request: pytest.FixtureRequest, asked: Asked) -> Callable[..., Store]:
    """Opens a store that is empty: with a clock, and settings by name."""
    opened, empty = _opener(request.param, request, asked)
    empty()
    return opened


@pytest.fixture(params=REMOTE)
def open_empty(request: pytest.FixtureRequest, asked: Asked) -> Callable[..., Store]:
    """Empties a store that is outside the process each time that it opens it."""
    opened, empty = _opener(request.param, request, asked)

    def open_(clock: HandClock, **given: Any) -> Store:
        empty()
        return opened(clock, **given)

    return open_


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def asked() -> Asked:
    """What the stores of a test have answered; memory is asked nothing that takes a while."""
    return Asked()


@pytest.fixture(autouse=True)
def only_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for jobs does not ask again by himself: he gets them only if he is woken."""
    monkeypatch.setattr(bell, "LONGEST_WAIT", 60.0)
    for name in ("LONGEST_WAIT", "_SHORTEST_WAIT"):
        monkeypatch.setattr(postgres_queue, name, 60.0)


Begin = Callable[[Any], Awaitable[asyncio.Task[Any]]]


@pytest.fixture
def begin_to_wait(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Begins a dequeue of one job, and returns once it has found none and waits."""

    # Nor for the leases of others, none of which runs out in these tests.
    monkeypatch.setattr(leases, "INSPECTED", 60 * MICROSECONDS)

    async def begin(queue: Any) -> asyncio.Task[Any]:
        known = asked.operations.count("dequeue")
        waiting = asyncio.create_task(queue.dequeue(1, max_wait=60))
        if not isinstance(queue, QueueOwner):  # that is memory
            await eventually_async(lambda: asked.operations.count("dequeue") > known)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waiting.done()
        return waiting

    return begin


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
