"""With a retention a server holds what came of late, however much has passed through it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from common.owners.results import KEPT_LONGER
from common.process_spec import POSTGRES, REDIS
from tests.support import jobs
from tests.support.client import TERMINAL, Client
from tests.support.stacks import Stack, running
from tests.support.targets import UNCACHED
from tests.support.waiting import eventually

WAVES, EACH = 3, 300
SPARE = 4 * 8192
"""Bytes by which a table may be larger than a wave ago: a third of what a wave takes at least."""
RETENTION = 1.0
FEW = 25
"""What there is besides jobs: migrations, kinds, the order of the queue."""
# Who reports the gauges, and who is there at all, comes and goes.
KEYS = """local count = 0 for _, key in ipairs(redis.call('KEYS', '*')) do
if key ~= 'reporter' then count = count + 1 end end return count"""
# What is kept a while longer, such as outputs, is as old as that takes.
EXPIRE = """for _, key in ipairs(redis.call('KEYS', '*')) do
if key ~= 'reporter' and redis.call('TTL', key) >= 0 then redis.call('EXPIRE', key, 0) end end"""
AGE = f"""UPDATE {{}} SET stored = 1000000 *
(extract(epoch FROM clock_timestamp()) - {RETENTION + KEPT_LONGER})"""
DATABASES = "SELECT datname FROM pg_database WHERE datname <> 'postgres' AND NOT datistemplate"
TABLES = """SELECT tablename FROM pg_tables
WHERE schemaname = 'public' AND tablename <> 'members' AND tablename LIKE $1"""


@dataclass(frozen=True)
class RedisServer:
    """One Redis and what it has."""

    name: str
    port: int

    def pass_time(self) -> None:
        self._run(EXPIRE)

    def held(self) -> dict[str, int]:
        """Return the number of keys."""
        return {self.name: int(self._run(KEYS))}

    def size(self) -> dict[str, int]:
        """Return nothing: there what is deleted is freed at once."""
        return {}

    def _run(self, script: str) -> str:
        words = ("redis-cli", "-e", "-p", str(self.port), "EVAL", script, "0")
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class PostgresServer:
    """One PostgreSQL and what its databases have."""

    name: str
    port: int

    def pass_time(self) -> None:
        self._ask(AGE, "results")

    def held(self) -> dict[str, int]:
        """Return the number of rows of each table."""
        return self._ask("SELECT count(*) FROM {}")

    def size(self) -> dict[str, int]:
        """Return the bytes of each table with its indexes, once what is dead in it is free again.

        Autovacuum does that too, when it sees fit.
        """
        self._ask("VACUUM {}")
        return self._ask("SELECT pg_total_relation_size('{}')")

    def _ask(self, statement: str, tables: str = "%") -> dict[str, Any]:
        """Return what a statement answers for each table, whose name it has in it."""
        return asyncio.run(self._each_table(statement, tables))

    async def _each_table(self, statement: str, tables: str) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        async with self._session("postgres") as session:
            databases = [row[0] for row in await session.fetch(DATABASES)]
        for database in databases:
            async with self._session(database) as session:
                for (table,) in await session.fetch(TABLES, tables):
                    answer = await session.fetchval(statement.format(table))
                    answers[f"{database}.{table}"] = answer
        return answers

    @contextlib.asynccontextmanager
    async def _session(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        address = f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
        session = await asyncpg.connect(address)
        try:
            yield session
        finally:
            await session.close()


SERVERS = {REDIS: RedisServer, POSTGRES: PostgresServer}


def servers_of(stack: Stack) -> list[RedisServer | PostgresServer]:
    return [
        SERVERS[each.service](each.name, each.port)
        for each in stack.topology.processes
        if not each.is_ours
    ]


def run_wave(client: Client) -> None:
    """Have jobs of all ends pass through, under request ids that are used again."""

    def run(place: int) -> str:
        calls = client.at[place % len(client.at)]
        job = jobs.fail("no") if place % 5 == 0 else jobs.noop()
        job_id = calls.submit(job, f"request-{place}")
        if place % 7 == 0:
            calls.cancel(job_id)
        return job_id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(run, range(EACH)))) == EACH


def merged(parts: list[dict[str, int]]) -> dict[str, int]:
    return {name: number for part in parts for name, number in part.items()}


@pytest.mark.parametrize(
    "side", [pytest.param(name, marks=pytest.mark.needs(need)) for name, need in UNCACHED.items()]
)
def test_what_a_server_holds_does_not_grow_with_what_has_passed_through_it(
    side: str, tmp_path: Path
) -> None:
    quick = {"redis_fsync": "no", "pg_sync": "off"}
    with running(side, tmp_path, retention=RETENTION, **quick) as stack:
        servers, client = servers_of(stack), stack.client()

        def held() -> dict[str, int]:
            return merged([each.held() for each in servers])

        def idle() -> bool:
            return all(job.state in TERMINAL for job in client.list(page_size=EACH).jobs)

        kept, sizes = [], []
        for _ in range(WAVES):
            run_wave(client)
            assert sum(held().values()) > EACH / 2, "the wave is seen"
            eventually(idle, what="the end of all jobs")
            for server in servers:
                server.pass_time()
            kept.append(
                eventually(held, lambda found: sum(found.values()) <= FEW, what="few are held")
            )
            sizes.append(merged([each.size() for each in servers]))

    assert kept == [kept[0]] * WAVES
    # The first wave makes a table as large as a wave needs, and not all of that is in one place.
    before, after = sizes[-2:]
    assert {
        name: after[name] - before[name] for name in after if after[name] > before[name] + SPARE
    } == {}
