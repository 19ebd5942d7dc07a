"""Connections to PostgreSQL whose failures are errors of the task queue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
from asyncpg import exceptions

from common.domain.errors import StoreFull, StoreUnreachable, StoreUnready, TaskQueueError

MIGRATIONS = Path(__file__).parent / "migrations"
CONNECTIONS = 4
"""Connections of a process, beside the one on which it listens."""
SECONDS = 5.0
"""How long PostgreSQL may take for an answer."""
_MIGRATING = 7_215_001  # the advisory lock of those who migrate

_FULL = (exceptions.InsufficientResourcesError,)
# Whatever began was rolled back, or nothing began.
_DEFINITE = (
    ConnectionRefusedError,
    exceptions.CannotConnectNowError,
    exceptions.TooManyConnectionsError,
    exceptions.InvalidAuthorizationSpecificationError,
    exceptions.ReadOnlySQLTransactionError,
    exceptions.TransactionRollbackError,
    exceptions.QueryCanceledError,
)


class Connection:
    """A bounded pool of connections to the database of ``address``, made when they are needed."""

    def __init__(self, name: str, dsn: str, durable: bool = True) -> None:
        self._name = name
        self._dsn = dsn
        self._settings = {} if durable else {"synchronous_commit": "off"}
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def rows(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Return the rows of a statement. Raises ``TaskQueueError``."""
        async with self.borrowed() as connection:
            found: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return found

    @contextlib.asynccontextmanager
    async def borrowed(self) -> AsyncIterator[Any]:
        """Give a connection; what goes wrong on it is raised as ``TaskQueueError``."""
        try:
            pool = self._pool or await self._open()
            async with pool.acquire(timeout=SECONDS) as connection:
                yield connection
        except (
            OSError,
            TimeoutError,
            exceptions.PostgresError,
            exceptions.InterfaceError,
        ) as error:
            raise self.translated(error) from error

    async def listen(self, channel: str, on_notify: Callable[..., None]) -> None:
        """Call ``on_notify`` for what comes on a channel, until canceled or cut."""
        try:
            connection = await asyncpg.connect(self._dsn, timeout=SECONDS)
        except (OSError, TimeoutError, exceptions.PostgresError) as error:
            raise self.translated(error) from error
        cut = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: cut.set())
            await connection.add_listener(channel, on_notify)
            await cut.wait()
        finally:
            connection.terminate()

    def translated(self, error: Exception) -> TaskQueueError:
        """Return the error of the task queue for one of PostgreSQL."""
        text = str(error) or type(error).__name__
        if isinstance(error, exceptions.TooManyConnectionsError):
            return StoreUnready(self._name, text)
        if isinstance(error, _FULL):
            return StoreFull(self._name, text)
        return (StoreUnready if isinstance(error, _DEFINITE) else StoreUnreachable)(
            self._name, text
        )

    async def close(self) -> None:
        """Close all connections, those in use at once."""
        if self._pool is not None:
            self._pool.terminate()

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=1,
                    max_size=CONNECTIONS,
                    command_timeout=SECONDS,
                    timeout=SECONDS,
                    server_settings=self._settings,
                )
                try:
                    async with pool.acquire() as connection:
                        await migrate(connection)
                except BaseException:
                    pool.terminate()
                    raise
                self._pool = pool
            return self._pool


async def migrate(connection: Any) -> None:
    """Apply the migrations that the database does not have, one process at a time."""
    await connection.execute("SELECT pg_advisory_lock($1::bigint)", _MIGRATING)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL)"
        )
        known = {row["number"] for row in await connection.fetch("SELECT number FROM migrations")}
        for path in sorted(MIGRATIONS.glob("*.sql")):
            number = int(path.name.partition("_")[0])
            if number in known:
                continue
            async with connection.transaction():
                await connection.execute(path.read_text(encoding="utf-8"))
                await connection.execute(
                    "INSERT INTO migrations VALUES ($1, $2)", number, path.stem
                )
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1::bigint)", _MIGRATING)
