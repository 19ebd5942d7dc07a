"""Statements for PostgreSQL, whose failures are errors of the task queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg

from common import context
from common.domain.errors import DeadlineAlreadyPast, StoreUnready
from common.ports import StoreObserver
from common.stores.failing import noting_failures
from common.stores.postgres import failures, primary
from common.stores.postgres.migration import migrate
from common.stores.postgres.pool import Pool
from common.stores.server import SECONDS

CONNECTIONS = 4
"""Connections of a process, beside the one on which it may listen."""
_MIGRATING_SECONDS = 300.0
_TRIES = 3

Rows = list[asyncpg.Record]

_SESSION = {
    # Every statement reads few rows by an index, whatever statistics of a table that was empty
    # a moment ago make of it; so its plan is made once and is right for good.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # A statement whose process has left goes on, and holds its locks, no longer than this.
    "statement_timeout": f"{SECONDS:g}s",
    "idle_in_transaction_session_timeout": f"{SECONDS:g}s",
}


class Connection:
    """Sends statements to a database; ``name`` is that of the store in errors.

    ``dsns`` are those of each copy of it, of which the primary is sent to, whoever that is at the
    time. The database is migrated first. ``indexes`` says whether those for retention are wanted.
    """

    def __init__(
        self, name: str, dsns: Sequence[str], observer: StoreObserver, indexes: bool = False
    ) -> None:
        self.name = name
        self._dsns = tuple(dsns)
        self._observer = observer
        self._indexes = indexes
        self.pool = Pool(self._connect, CONNECTIONS)
        """Connections for statements."""
        self._migrated = False
        self._migrating: asyncio.Task[None] | None = None
        self._listening: Any = None
        self.unanswered = 0
        """How many statements there were of which nobody knows what came of them."""

    async def rows(self, operation: str, statement: str, *arguments: Any) -> Rows:
        """Return the rows of a statement, within the time that the caller has left.

        One that was rolled back for another's sake, met a dead connection, or a server without the
        tables, which are made then, is sent again.
        Raises ``TaskQueueError``.
        """
        with noting_failures(self._observer):
            for last in range(_TRIES - 1, -1, -1):
                connection = await self._borrowed()
                try:
                    return await self._send(connection, operation, statement, arguments)
                except failures.FAILURES as error:
                    if isinstance(error, failures.NOT_MIGRATED):
                        self._migrated = False
                    if last and failures.may_be_sent_again(error):
                        continue
                    failure = failures.after_it_was_sent(self.name, error)
                    self.unanswered += not failure.definite
                    raise failure from error
        raise AssertionError

    async def listen(self, channel: str, on_notify: Callable[..., None]) -> None:
        """See to it that ``on_notify`` is called for what comes on a channel.

        It is, until the connection is lost: call this again now and then. Between two statements
        such a session has no snapshot. Raises ``TaskQueueError``.
        """
        if self._listening is not None and not self._listening.is_closed():
            return
        try:
            self._listening = await self._connect()
            await self._listening.add_listener(channel, on_notify)
        except failures.FAILURES as error:
            self._stop_listening()
            raise failures.before_it_was_sent(self.name, error) from error

    async def close(self) -> None:
        """Close all connections, those in use at once."""
        if self._migrating is not None:
            self._migrating.cancel()
            await asyncio.wait([self._migrating])
        self.pool.terminate()
        self._stop_listening()

    async def _borrowed(self) -> Any:
        left = _time_left()
        try:
            if not self._migrated:
                await self._migrate(left)
            return await self.pool.take(_time_left())
        except failures.FAILURES as error:
            raise failures.before_it_was_sent(self.name, error) from error

    async def _send(
        self, connection: Any, operation: str, statement: str, arguments: Sequence[Any]
    ) -> Rows:
        left = _time_left(lambda: self.pool.give_back(connection))
        began = time.perf_counter()
        try:
            with context.asking_store():
                found: Rows = await connection.fetch(statement, *arguments, timeout=left)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                self.unanswered += 1
            if not failures.leaves_it_usable(error):
                # Whoever has to wait for a server that does not answer would wait for its word on
                # the cancellation too. And none is sent, for that takes longer than this: it would
                # end a commit's wait for a replica, and show to others what only the primary has.
                connection.terminate()
                self._leave(error)
            raise
        finally:
            self._observer.asked(operation, time.perf_counter() - began)
            self.pool.give_back(connection)
        return found

    async def _migrate(self, seconds: float) -> None:
        """Wait for the migrations; they go on where a caller has less time than they take."""
        if self._migrating is None or self._migrating.done():
            self._migrating = asyncio.create_task(self._prepare())
            # What it comes to is asked for by who waits for it, if anybody still does.
            self._migrating.add_done_callback(lambda task: task.cancelled() or task.exception())
        task = self._migrating
        await asyncio.wait([task], timeout=seconds)
        if not task.done() or task.cancelled():
            raise StoreUnready(self.name, "its tables are being made")
        task.result()

    async def _prepare(self) -> None:
        connection = await self._connect()
        try:
            async with asyncio.timeout(_MIGRATING_SECONDS):
                await migrate(connection, self._indexes)
        finally:
            connection.terminate()
        self._migrated = True

    async def _connect(self) -> Any:
        session = await primary.connect(self._dsns, _open)
        self._observer.connected(self.name, session.address)
        return session

    def _leave(self, error: BaseException) -> None:
        """Close all connections to a server that may be the primary no longer.

        It may stand still, and each of them would be waited for in turn.
        """
        if len(self._dsns) > 1 and not isinstance(error, asyncio.CancelledError):
            self.pool.drop()
            self._stop_listening()

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.terminate()
            self._listening = None


def _time_left(otherwise: Callable[[], None] | None = None) -> float:
    """Return the seconds that a statement may take."""
    left = context.remaining(SECONDS)
    if left <= 0:
        if otherwise is not None:
            otherwise()
        raise DeadlineAlreadyPast
    return left


class _Session(asyncpg.Connection):
    """A connection that knows to which server it was made, as ``host:port``."""

    address = ""


async def _open(dsn: str) -> Any:
    session = await asyncpg.connect(
        dsn,
        connection_class=_Session,
        timeout=SECONDS,
        # Prepared once and for as long as the connection lasts.
        max_cached_statement_lifetime=0,
        server_settings=_SESSION,
    )
    session.address = dsn.partition("@")[2].partition("/")[0]
    return session
