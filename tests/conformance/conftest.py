"""Every store, opened empty: one suite says what all of them do."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from common.stores.memory import MemoryStore
from common.stores.postgres import PostgresStore
from common.stores.redis import RedisStore
from common.stores.store import Store
from tests.support.owners import HandClock
from tests.support.stacks import free_port
from tests.support.stores import Jobs, OpenQueue, Queue, settings_of
from tests.support.waiting import eventually


@pytest.fixture(scope="session")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of the session's own."""
    folder: Path = tmp_path_factory.mktemp("redis")
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
         "--appendonly", "yes", "--appendfsync", "no"],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    client = redis.Redis(port=port)

    def serves() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    try:
        eventually(serves, what="Redis")
        yield f"127.0.0.1:{port}"
    finally:
        client.close()
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
def postgres_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of the session's own."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    port = free_port()
    bin_ = Path("/usr/lib/postgresql/15/bin")
    as_user = []
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
        for parent in folder.parents[:3]:
            parent.chmod(0o755)
        as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    data = folder / "data"
    subprocess.run(
        [*as_user, bin_ / "initdb", "--pgdata", data, "--auth", "trust", "--username", "postgres",
         "--no-sync"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    server = subprocess.Popen(
        [*as_user, bin_ / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "fsync=off"],
        stderr=subprocess.DEVNULL,
    )
    ready = [bin_ / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    try:
        eventually(lambda: subprocess.run(ready).returncode == 0, what="PostgreSQL")
        yield f"127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


async def _emptied(address: str) -> None:
    connection = await asyncpg.connect(f"postgresql://postgres@{address}/postgres")
    try:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()


@pytest.fixture(params=["memory", "redis", "postgres"])
def opened(request: pytest.FixtureRequest) -> Callable[..., Store]:
    """Opens a store that is empty: with a clock, and settings by name."""
    if request.param == "memory":
        return lambda clock, **given: MemoryStore(settings_of(**given), clock)
    if request.param == "postgres":
        address = request.getfixturevalue("postgres_address")
        asyncio.run(_emptied(address))
        return lambda clock, **given: PostgresStore(
            settings_of(peers={"postgres": address}, **given), clock
        )
    address = request.getfixturevalue("redis_address")
    with redis.Redis(port=int(address.rpartition(":")[2])) as client:
        client.flushall()
    return lambda clock, **given: RedisStore(settings_of(peers={"redis": address}, **given), clock)


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
