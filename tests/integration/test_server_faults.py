"""Faults that only a database can have, on real ones: each is there until it is healed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Refused
from redis.exceptions import RedisError

from common.process_spec import ProcessSpec
from common.services import postgres, redis
from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.drive.servers import SERVERS, ServerWatch
from testbed.drive.servers import postgres as postgres_series
from testbed.drive.servers import redis as redis_series
from testbed.errors import TestbedError
from testbed.record.metrics import read_metrics
from testbed.runs.faults import registry
from testbed.runs.faults.heal import heal_all
from testbed.runs.faults.kind import Target
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.controls import Controls, process_of
from testbed.stack.runtimes.local import LocalRuntime, processes
from tests.support.ports import free_ports
from tests.support.services import open_folder
from tests.support.waiting import eventually, eventually_async

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres", "redis")]

DESIGN = "fake"
POSTGRES, REDIS, FORCED = "postgres", "redis", "redis-forced"
OF_FAULTS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'testbed fault'"
WATCHING = "FROM pg_stat_activity WHERE application_name = 'testbed watch'"
Inject = Callable[..., Callable[[], None]]
Connect = Callable[..., Awaitable[asyncpg.Connection]]
WITHIN = 20.0


@pytest.fixture(scope="module")
def controls() -> Iterator[Controls]:
    """A stack of databases alone; one of the two Redis forces each write to the disk."""
    ports = free_ports(3)
    servers = (
        postgres.server(POSTGRES, ports[0], ("one", "two")),
        with_fsync(redis.server(REDIS, ports[1]), "everysec"),
        with_fsync(redis.server(FORCED, ports[2]), "always"),
    )
    runtime = LocalRuntime()
    with open_folder() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv(stacks.HOME_VARIABLE, str(home))
        topology = Topology(DESIGN, "databases", servers, (REDIS,))
        yield runtime.controls(runtime.up(topology, StackSpec(), silent))
        runtime.down(DESIGN, silent)
        assert processes.strays(DESIGN) == []


def with_fsync(server: ProcessSpec, level: str) -> ProcessSpec:
    command = tuple(each.replace("{redis_fsync}", level) for each in server.command)
    return replace(server, command=command)


@pytest.fixture
def inject(controls: Controls) -> Iterator[Inject]:
    """Injects a fault; gives what heals it. Afterwards there is nothing left to heal."""

    def injected(kind: str, name: str, **parameters: float) -> Callable[[], None]:
        chosen, target = registry.get(kind), Target(name, (name,))
        assert not chosen.remains(controls, target)
        chosen.inject(controls, target, chosen.read(parameters))

        def heal() -> None:
            assert chosen.remains(controls, target) or chosen.name == "disk_full"
            chosen.heal(controls, target)
            assert not chosen.remains(controls, target)

        return heal

    try:
        yield injected
        assert list(heal_all(controls)) == []
    finally:
        list(heal_all(controls))


@pytest.fixture
async def connect(controls: Controls) -> AsyncIterator[Callable[..., object]]:
    """Connects to PostgreSQL, as the superuser unless another one is named."""
    port, opened = process_of(controls.record, POSTGRES).port, []

    async def connected(user: str = "postgres") -> asyncpg.Connection:
        where = {"host": "127.0.0.1", "port": port, "user": user, "database": user}
        opened.append(await asyncpg.connect(**where, ssl=False))
        return opened[-1]

    yield connected
    for each in opened:
        each.terminate()


def client(controls: Controls, name: str) -> Redis:
    return Redis(port=process_of(controls.record, name).port, retry=None, socket_timeout=10)


async def until(probe: Callable[[], Awaitable[object]]) -> None:
    """Ask a server again and again until it answers with what is awaited."""
    async with asyncio.timeout(WITHIN):
        while not await probe():
            pass


async def until_none_is_left(connection: asyncpg.Connection) -> None:
    async def is_none() -> bool:
        return await connection.fetchval(OF_FAULTS) == 0

    await until(is_none)


async def is_refused(write: Callable[[], Awaitable[object]], reason: str) -> bool:
    try:
        await write()
    except RedisError as error:
        return reason in f"{type(error).__name__} {error}"
    return False


async def test_open_transaction_keeps_what_died_from_being_vacuumed(
    inject: Inject, connect: Connect
) -> None:
    one = await connect("one")
    await one.execute("CREATE TABLE many AS SELECT n FROM generate_series(1, 1000) n")
    heal = inject("old_snapshot", POSTGRES)

    await one.execute("DELETE FROM many")
    await one.execute("VACUUM many")
    held = await one.fetchval("SELECT pg_relation_size('many')")
    heal()
    await until_none_is_left(await connect())
    await one.execute("VACUUM many")

    assert held > 0
    assert await one.fetchval("SELECT pg_relation_size('many')") == 0


async def test_readers_overlap_with_old_snapshots_in_every_database(
    inject: Inject, connect: Connect
) -> None:
    for name in ("one", "two"):
        await (await connect(name)).execute("CREATE TABLE IF NOT EXISTS hot (n int)")
    heal = inject("readers", POSTGRES, connections=4, snapshot_s=60, rest_ms=10)
    superuser = await connect()

    async def all_hold() -> bool:
        rows = await superuser.fetch(
            "SELECT datname, count(*) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL "
            "AND application_name = 'testbed fault' GROUP BY 1 ORDER BY 1"
        )
        return [tuple(row) for row in rows] == [("one", 2), ("two", 2)]

    await until(all_hold)
    heal()
    await until_none_is_left(superuser)


async def test_terminated_backends_are_those_of_services_and_not_the_watchers(
    inject: Inject, connect: Connect
) -> None:
    service, watcher = await connect("one"), await connect()
    heal = inject("terminate_backends", POSTGRES, per_s=50)

    await eventually_async(service.is_closed)
    heal()

    assert await watcher.fetchval("SELECT 1") == 1
    assert await (await connect("one")).fetchval("SELECT 1") == 1


async def test_exhausted_connections_leave_those_that_are_open_and_the_superusers(
    inject: Inject, connect: Connect
) -> None:
    before = await connect("one")
    heal = inject("exhaust_connections", POSTGRES)

    with pytest.raises(asyncpg.TooManyConnectionsError):
        await connect("one")
    assert await before.fetchval("SELECT 1") == 1
    superuser = await connect()
    heal()
    await until_none_is_left(superuser)

    assert await (await connect("one")).fetchval("SELECT 1") == 1


async def test_full_disk_ends_a_postgres_that_writes_and_loses_nothing(
    inject: Inject, connect: Connect
) -> None:
    one = await connect("one")
    await one.execute("CREATE TABLE kept AS SELECT 1 AS n")
    heal = inject("disk_full", POSTGRES)

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await one.execute("INSERT INTO kept VALUES (2)")
    heal()

    one = await connect("one")
    await one.execute("INSERT INTO kept VALUES (3)")
    assert [row["n"] for row in await one.fetch("SELECT n FROM kept ORDER BY n")] == [1, 3]


async def test_full_disk_has_a_redis_refuse_to_write_until_it_is_healed(
    inject: Inject, controls: Controls
) -> None:
    async with client(controls, REDIS) as server:
        await server.set("kept", 1)
        heal = inject("disk_full", REDIS)

        await until(lambda: is_refused(lambda: server.set("kept", 2), "MISCONF"))
        assert await server.exists("kept")
        heal()

        async def is_taken() -> bool:
            return not await is_refused(lambda: server.set("kept", 3), "MISCONF")

        await until(is_taken)
        assert await server.get("kept") == b"3"


async def test_full_disk_ends_a_redis_that_forces_each_write(
    inject: Inject, controls: Controls
) -> None:
    server = client(controls, FORCED)
    await server.set("kept", 1)
    heal = inject("disk_full", FORCED)

    with pytest.raises(Refused):
        await server.set("kept", 2)
    eventually(lambda: not process_of(controls.record, FORCED).is_alive(), what="its end")
    heal()

    assert await server.get("kept") == b"1"
    await server.aclose()


async def test_clients_of_a_redis_are_ended_again_and_again(
    inject: Inject, controls: Controls
) -> None:
    async with client(controls, REDIS) as first, client(controls, REDIS) as watcher:
        await first.client_setname("first")
        heal = inject("client_kill", REDIS, per_s=20)

        await until(lambda: is_refused(first.client_getname, "ConnectionError"))
        heal()

        assert await watcher.ping()


async def test_sleeping_redis_answers_late(inject: Inject, controls: Controls) -> None:
    async with client(controls, REDIS) as server:
        await server.config_resetstat()
        heal = inject("redis_sleep", REDIS, sleep_s=0.2, every_s=0.1)

        async def has_slept() -> bool:
            stats = await server.info("commandstats")
            return int(stats.get("cmdstat_debug", {}).get("usec", 0)) > 100_000

        await until(has_slept)
        heal()


async def test_redis_that_may_use_no_more_memory_refuses_to_write(
    inject: Inject, controls: Controls
) -> None:
    async with client(controls, REDIS) as server:
        await server.set("kept", 1)
        heal = inject("maxmemory", REDIS)

        more = (f"more-{number}" for number in count())
        await until(lambda: is_refused(lambda: server.set(next(more), "x" * 1000), "OutOfMemory"))
        assert await server.get("kept") == b"1"
        heal()
        await server.set("kept", 2)
        assert (await server.config_get("maxmemory"))["maxmemory"] == "0"


def test_agent_that_cannot_begin_says_why(controls: Controls) -> None:
    kind, target = registry.get("old_snapshot"), Target(REDIS, (REDIS,))

    with pytest.raises(TestbedError, match="old_snapshot of redis did not begin"):
        kind.inject(controls, target, kind.read({}))

    assert not kind.remains(controls, target)


def test_what_is_left_in_a_database_is_found_and_healed_by_anybody(controls: Controls) -> None:
    for kind, name in (("old_snapshot", POSTGRES), ("maxmemory", REDIS), ("disk_full", FORCED)):
        registry.get(kind).inject(controls, Target(name, (name,)), registry.get(kind).read({}))

    another = LocalRuntime().controls(controls.record)

    assert list(heal_all(another)) == [
        "postgres is rid of old_snapshot",
        "redis is rid of maxmemory",
        "redis-forced is rid of disk_full",
    ]
    assert list(heal_all(another)) == []


async def test_what_databases_do_is_seen_also_when_no_connection_is_left(
    inject: Inject, controls: Controls, connect: Connect, tmp_path: Path
) -> None:
    one, superuser = await connect("one"), await connect()
    await one.execute("CREATE TABLE queue AS SELECT n FROM generate_series(1, 500) n")

    async def is_seen() -> None:
        since = await superuser.fetchval("SELECT clock_timestamp()")
        asked = f"SELECT coalesce(bool_and(query_start > $1), false) {WATCHING}"
        # Twice: the first may have been under way.
        await until(lambda: superuser.fetchval(asked, since))
        since = await superuser.fetchval("SELECT clock_timestamp()")
        await until(lambda: superuser.fetchval(asked, since))

    with ServerWatch(tmp_path, controls.record, interval=0.05):
        await is_seen()
        heal = inject("exhaust_connections", POSTGRES)
        await is_seen()
        heal()
        heal = inject("old_snapshot", POSTGRES)
        await one.execute("DELETE FROM queue")
        dead = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'queue'"
        await until(lambda: one.fetchval(dead))
        sleeping = asyncio.create_task(one.execute("SELECT pg_sleep(0.5)"))
        await is_seen()
        await sleeping
        heal()
        rows = await superuser.fetch(f"SELECT client_port {WATCHING}")
        controls.pause(POSTGRES)
        # It gives its connections up when it is not answered.
        await eventually_async(lambda: not {row[0] for row in rows} & open_ports())
        controls.resume(POSTGRES)
        await is_seen()

    seen = read_metrics(tmp_path, SERVERS)
    assert set(seen.by_process) == {POSTGRES, REDIS, FORCED}
    server = seen.by_process[POSTGRES]
    assert server.failures, "a paused one does not answer"
    assert server.times[-1] > server.failures[-1][0], "and is asked again"
    (queue,) = server.matching(postgres_series.DEAD, {"database": "one", "table": "queue"})
    assert max(queue.values) == 500
    (snapshot,) = server.series[postgres_series.SNAPSHOT]
    assert max(snapshot.values) > 0
    (connections,) = server.series[postgres_series.CONNECTIONS]
    assert max(connections.values) >= 50
    (asleep,) = server.matching(postgres_series.BACKENDS, {"wait": "Timeout:PgSleep"})
    assert (max(asleep.values), asleep.values[-1]) == (1, 0)
    (memory,) = seen.by_process[REDIS].series[redis_series.MEMORY]
    assert min(memory.values) > 0
    assert not seen.by_process[REDIS].failures


def open_ports() -> set[int]:
    """Return the ports of this process's own ends of connections."""
    return {each.laddr.port for each in psutil.Process().net_connections("tcp") if each.raddr}


def test_stack_without_a_database_is_not_watched(tmp_path: Path) -> None:
    with ServerWatch(tmp_path, StackRecord.of_one_process("x", os.getpid(), 1)):
        pass
    assert list(tmp_path.iterdir()) == []
