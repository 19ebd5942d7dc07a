"""What is shown of a server: how full it is, what holds back vacuum, who is connected."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry

from common.domain.errors import StoreUnreachable, StoreUnready
from common.domain.ids import IdMint
from common.stores.metrics import StoreMetrics
from common.stores.postgres import PostgresStore
from common.stores.postgres import figures as of_postgres
from common.stores.redis import RedisStore
from common.stores.redis import figures as of_redis
from tests.integration.stores.conftest import Server
from tests.support.owners import HandClock, Silence
from tests.support.postgres import Database, until
from tests.support.services import open_folder
from tests.support.stores import Jobs, settings_of

needs_postgres = pytest.mark.needs("postgres")
needs_redis = pytest.mark.needs("redis")

Shown = Callable[..., float | None]
LATER = 50
"""Transactions that begin after one that stays open: more than during one of the server's own."""
MANY = 20
"""Sessions of others: more than the server's own."""


@pytest.fixture(autouse=True)
def _always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_postgres, "EVERY", 0.0)
    monkeypatch.setattr(of_redis, "EVERY", 0.0)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def shown(registry: CollectorRegistry) -> Shown:
    """Gives the value of a metric of the store, ``None`` if it is not there."""

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"taskqueue_store_{name}", labels)

    return value


@pytest.fixture
def metrics(registry: CollectorRegistry) -> StoreMetrics:
    made = StoreMetrics()
    made.expose(registry)
    return made


@pytest.fixture
def redis(server: Server, metrics: StoreMetrics, registry: CollectorRegistry) -> RedisStore:
    settings = settings_of(store="redis", peers={"redis": server.address})
    store = RedisStore(settings, HandClock(), metrics)
    store.expose(registry)
    return store


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with open_folder() as folder:
        made = Database(folder)
        made.start()
        yield made
        made.stop()


@pytest.fixture
async def postgres(
    database: Database, metrics: StoreMetrics, registry: CollectorRegistry
) -> AsyncIterator[PostgresStore]:
    store = database.open(metrics)
    store.expose(registry)
    store.jobs(IdMint(0, 1), Silence())

    async def reports() -> bool:
        await store.refresh()
        return registry.get_sample_value("taskqueue_store_sessions") is not None

    # The store of another test is missed only some time after it has ended.
    await until(reports)
    yield store
    await store.close()


@needs_redis
async def test_a_redis_shows_its_memory_and_the_limit_if_there_is_one(
    server: Server, redis: RedisStore, shown: Shown
) -> None:
    await redis.refresh()
    used = shown("memory_bytes")
    assert used is not None
    assert used > 100_000
    assert shown("memory_limit_bytes") is None
    assert shown("replicas") == 0
    server.ask("CONFIG", "SET", "maxmemory", "300mb")
    await redis.refresh()
    assert shown("memory_limit_bytes") == 300 << 20
    await redis.close()


@needs_redis
async def test_what_was_sampled_is_shown_no_longer_once_a_server_is_away_for_some_time(
    server: Server, redis: RedisStore, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis.refresh()
    server.kill()
    with pytest.raises((StoreUnready, StoreUnreachable)):
        await redis.refresh()
    assert shown("memory_bytes") is not None
    monkeypatch.setattr(of_redis, "TOO_OLD", 0.0)
    assert shown("memory_bytes") is None
    await redis.close()


@needs_postgres
async def test_what_was_sampled_of_a_database_is_shown_no_longer_either(
    postgres: PostgresStore, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown("sessions") is not None
    assert shown("table_bytes", table="jobs") is not None
    monkeypatch.setattr(of_postgres, "TOO_OLD", 0.0)
    assert shown("sessions") is None
    assert shown("table_bytes", table="jobs") is None


@needs_redis
async def test_what_a_redis_does_not_do_is_counted_and_so_is_each_connection(
    server: Server, redis: RedisStore, shown: Shown
) -> None:
    jobs = Jobs(redis, HandClock())
    await jobs.create()
    assert shown("primary", store="redis", address=server.address) == 1
    server.ask("CONFIG", "SET", "maxmemory", "1")
    with contextlib.suppress(Exception):
        await jobs.create()
    assert shown("errors_total", reason="STORE_FULL") == 1
    server.kill()
    with contextlib.suppress(StoreUnready, StoreUnreachable):
        while True:
            await jobs.page()
    assert shown("connects_total") == 1
    server.start()
    await jobs.page()
    assert shown("connects_total") == 2
    assert shown("primary_changes_total") == 0
    await redis.close()


@needs_postgres
async def test_a_transaction_that_has_written_holds_back_vacuum_also_while_it_is_idle(
    database: Database, postgres: PostgresStore, shown: Shown
) -> None:
    async def held() -> float:
        await postgres.refresh()
        return shown("oldest_snapshot_transactions") or 0.0

    async with database.administered() as idle, database.administered() as busy:
        await idle.execute("CREATE TABLE IF NOT EXISTS elsewhere (number int)")
        transaction = idle.transaction()
        await transaction.start()
        await idle.execute("INSERT INTO elsewhere VALUES (1)")
        for _ in range(LATER):
            await busy.execute("SELECT pg_current_xact_id()")
        assert await held() >= LATER
        assert (shown("oldest_snapshot_seconds") or 0) > 0
        await transaction.rollback()
        await until(lambda: _is_below(LATER, held))


async def _is_below(bound: float, read: Callable[[], Awaitable[float]]) -> bool:
    return await read() < bound


@needs_postgres
async def test_a_database_shows_its_sessions_and_the_part_of_them_that_a_process_uses(
    database: Database, postgres: PostgresStore, shown: Shown
) -> None:
    async def sessions() -> float:
        await postgres.refresh()
        return shown("sessions") or 0.0

    async with contextlib.AsyncExitStack() as exits:
        for _ in range(MANY):
            await exits.enter_async_context(database.administered())
        # And the one by which they are read.
        assert MANY + 1 <= await sessions() < (shown("sessions_limit") or 0)
    await until(lambda: _is_below(MANY, sessions))
    assert shown("primary", store="postgres", address=database.address) == 1
    assert shown("replicas") == 0
    assert shown("replica_lag_bytes") is None
    assert shown("connections_used") == 0
    assert shown("connections_limit") == 4
    assert (shown("pool_waiting_seconds_total") or 0) > 0
