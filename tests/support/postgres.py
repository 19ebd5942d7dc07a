"""A PostgreSQL of a test's own, to be killed, paused and started again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from common import context
from common.config import POSTGRES
from common.domain.errors import DeadlineAlreadyPast, TaskQueueError
from common.ports import StoreObserver
from common.services import postgres
from common.stores.postgres import PostgresStore
from tests.support.owners import HandClock
from tests.support.ports import free_port
from tests.support.services import open_folder, running
from tests.support.stores import Unwatched, settings_of
from tests.support.waiting import INTERVAL


class Database:
    """A server with one database, ``store``; its files stay from one start to the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spec = postgres.server(POSTGRES, free_port(), ("store",))
        self._running = contextlib.ExitStack()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._spec.port}"

    def start(self) -> None:
        self._running.enter_context(running(self._spec, self._folder, pg_sync="on"))

    def stop(self) -> None:
        self._running.close()

    def kill(self) -> None:
        """Kill all of its processes at once, as a machine does that loses its power."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.stop()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        processes = self._processes()
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def open(self, observer: StoreObserver | None = None, **given: Any) -> PostgresStore:
        settings = settings_of(store=POSTGRES, peers={POSTGRES: self.address}, **given)
        return PostgresStore(settings, HandClock(), observer or Unwatched())

    @contextlib.asynccontextmanager
    async def administered(self) -> AsyncIterator[asyncpg.Connection]:
        """Give a session that may do everything."""
        connection = await asyncpg.connect(f"postgresql://postgres@{self.address}/store")
        try:
            yield connection
        finally:
            with contextlib.suppress(asyncpg.PostgresError, OSError):
                await connection.close(timeout=5)

    def _processes(self) -> list[psutil.Process]:
        number = int(
            (self._folder / POSTGRES / "cluster" / "postmaster.pid").read_text().split()[0]
        )
        postmaster = psutil.Process(number)
        # The one that would start others comes first.
        return [postmaster, *postmaster.children(recursive=True)]


@contextlib.contextmanager
def started() -> Iterator[Database]:
    """Run a server in a folder of its own until the end of the block."""
    with open_folder() as folder:
        database = Database(folder)
        database.start()
        try:
            yield database
        finally:
            database.stop()


async def waiting_for(session: asyncpg.Connection, event: str) -> int:
    """Return the process of a session of the store's once it waits for that."""

    async def found() -> int | None:
        number: int | None = await session.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'store' AND wait_event_type = $1 "
            "OR usename = 'store' AND wait_event = $1",
            event,
        )
        return number

    return await until(found)


async def times_out(ask: Callable[[], Awaitable[object]]) -> TaskQueueError:
    """Return what a caller is told whose time ends while it waits for a server.

    On a busy machine a short time may end before anything was sent. Such a call gets more then.
    """
    for seconds in (0.3, 1.0, 3.0):
        try:
            with context.call(timeout=seconds):
                answer = await ask()
        except DeadlineAlreadyPast:
            continue
        except TaskQueueError as error:
            return error
        raise AssertionError(f"answered within {seconds:g} s: {answer!r}")
    raise AssertionError("nothing was sent in time")


async def until(probe: Any, within: float = 20.0) -> Any:
    """Return what ``probe`` gives once that is something."""
    async with asyncio.timeout(within):
        while True:
            if found := await probe():
                return found
            await asyncio.sleep(INTERVAL)
