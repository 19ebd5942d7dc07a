"""Databases in containers: stopped fast, broken in ways of their own, healed with their data."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from redis import Redis, RedisError

from common.services import postgres, redis
from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.runs.faults import registry
from testbed.runs.faults.heal import heal_all
from testbed.runs.faults.kind import Target
from testbed.stack import designs, runtimes
from testbed.stack.runtimes import Runtime
from testbed.stack.runtimes.compose import containers
from testbed.stack.runtimes.controls import Controls, process_of
from tests.containers.conftest import PROJECT
from tests.support.engine import leaving_nothing
from tests.support.stacks import shifted

pytestmark = pytest.mark.needs("engine")

DESIGN, POSTGRES, REDIS = "databases", "postgres", "redis"
SERVERS = Topology(
    DESIGN,
    "two databases",
    (postgres.server(POSTGRES, 50083, ("one",)), redis.server(REDIS, 50084)),
    (REDIS,),
)


@pytest.fixture
def controls(home: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Controls]:
    monkeypatch.setitem(designs.DESIGNS, DESIGN, "a module that nobody loads here")
    with leaving_nothing(PROJECT):
        yield runtime.controls(runtime.up(shifted(SERVERS), StackSpec(), runtimes.silent))
        runtime.down(DESIGN, runtimes.silent)


def port(controls: Controls, name: str) -> int:
    return process_of(controls.record, name).port


def run(controls: Controls, statement: str) -> object:
    """Run a statement in a connection of its own, and return its first value."""

    async def asked() -> object:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=port(controls, POSTGRES), user="one", database="one", ssl=False
        )
        try:
            return await connection.fetchval(statement)
        finally:
            connection.terminate()

    return asyncio.run(asked())


def answers(controls: Controls, name: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port(controls, name)), timeout=1):
            return True
    except OSError:
        return False


def hit(controls: Controls, kind: str, name: str) -> None:
    chosen = registry.get(kind)
    chosen.inject(controls, Target(name, (name,)), chosen.read({}))


def test_databases_are_hit_in_containers_as_they_are_locally(controls: Controls) -> None:
    server = Redis(port=port(controls, REDIS), retry=None)
    run(controls, "CREATE TABLE kept AS SELECT 1 AS n")
    server.set("kept", 1)

    hit(controls, "old_snapshot", POSTGRES)
    hit(controls, "redis_sleep", REDIS)
    hit(controls, "maxmemory", REDIS)
    assert list(heal_all(controls)) == [
        *("postgres is rid of old_snapshot", "redis is rid of maxmemory"),
        "redis is rid of redis_sleep",
    ]

    hit(controls, "unplug", POSTGRES)
    assert not answers(controls, POSTGRES)
    assert list(heal_all(controls)) == ["postgres is on the network again"]

    for name in (POSTGRES, REDIS):
        hit(controls, "disk_full", name)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        run(controls, "INSERT INTO kept VALUES (2)")
    with pytest.raises(RedisError):
        server.set("kept", 2)
    list(heal_all(controls))

    controls.stop(POSTGRES)
    log = containers.find(DESIGN)[POSTGRES].logs().decode()
    assert "received fast shutdown request" in log
    list(heal_all(controls))
    assert run(controls, "SELECT sum(n) FROM kept") == 1
    assert server.get("kept") == b"1"
    assert list(heal_all(controls)) == []
