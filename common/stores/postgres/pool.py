"""A few connections to PostgreSQL, lent for one statement each.

That of asyncpg takes three to four times the CPU of a short statement for each loan, and asks the
server to reset what was lent: one round trip more for every statement.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any


class Pool:
    """At most ``most`` connections that ``connect`` makes, each when it is needed first.

    One that was closed, by whomever, is replaced when it would be lent next.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]], most: int) -> None:
        self._connect = connect
        self._most = most
        self._all: set[Any] = set()
        self._connecting = 0
        self._free: list[Any] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.waited = 0.0
        """Seconds for which those who asked have waited for a connection, all together."""

    @property
    def used(self) -> int:
        """How many are lent."""
        return len(self._all) - len(self._free)

    @property
    def most(self) -> int:
        """How many there may be."""
        return self._most

    async def take(self, seconds: float) -> Any:
        """Lend a connection. Raises ``TimeoutError`` if there is none in time."""
        if (connection := self._at_hand()) is not None:
            return connection
        began = time.monotonic()
        try:
            return await self._awaited(seconds)
        finally:
            self.waited += time.monotonic() - began

    async def _awaited(self, seconds: float) -> Any:
        async with asyncio.timeout(seconds):
            while len(self._all) + self._connecting >= self._most:
                await self._wait()
                if (connection := self._at_hand()) is not None:
                    return connection
            return await self._new()

    def give_back(self, connection: Any) -> None:
        """Take back what was lent."""
        if connection.is_closed():
            self._all.discard(connection)
        else:
            self._free.append(connection)
        self._wake()

    def drop(self) -> None:
        """Close those that nobody has borrowed; those in use go on until they fail by themselves.

        Each is replaced when it would be lent next.
        """
        for connection in self._free:
            connection.terminate()

    def terminate(self) -> None:
        """Close all connections at once, those in use too."""
        for connection in self._all:
            connection.terminate()

    def _at_hand(self) -> Any | None:
        """Return the one that was used last, for its statements are prepared."""
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
            self._all.discard(connection)
        return None

    async def _new(self) -> Any:
        self._connecting += 1
        try:
            connection = await self._connect()
        except BaseException:
            self._wake()
            raise
        finally:
            self._connecting -= 1
        self._all.add(connection)
        return connection

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake()
            raise

    def _wake(self) -> None:
        """Let the next one try who waits."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
