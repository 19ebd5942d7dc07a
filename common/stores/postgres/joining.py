"""Accepts that go along with an exchange: one statement, and one commit, for both."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from common import context
from common.domain.errors import StoreUnreachable, TaskQueueError, copy_of
from common.stores.postgres import failures
from common.stores.postgres import shared_statements as statements
from common.stores.postgres.connection import SECONDS, Connection

LONGEST = 0.05
"""Seconds after which an accept goes alone: the exchange under way may have met a lock."""
TURNS = 16
"""Turns of the event loop in which the next exchange comes where jobs end at once.

In these the answer of an exchange gets to the worker, the jobs that it brought begin and end, and
they are reported.
"""

Rows = list[Any]


class Joining:
    """Sends accepts and exchanges.

    An exchange is sent at once. So is an accept, unless an exchange is under way, or has just
    ended, and the last one brought jobs: then the next is as good as certain, and the accept goes
    along with that. It does not wait for one that may come: where none follows within a few turns
    of the event loop, or the one under way takes long, the accept goes alone.

    Whatever comes of one of the two is nothing to the other: where both failed and nothing
    happened, each is sent by itself.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[_Waiting] = deque()
        self._under_way = 0
        self._follow = False

    async def accept(self, arguments: Sequence[Any]) -> tuple[Rows, bool]:
        """Return the rows of ``ACCEPT``, and whether it went along. Raises ``TaskQueueError``."""
        if self._follow:
            waiting = _Waiting(arguments)
            self._waiting.append(waiting)
            timer = asyncio.get_running_loop().call_later(LONGEST, self._end_wait, waiting)
            try:
                rows = await waiting.answer
            except asyncio.CancelledError:
                # It may be under way, and nobody counts what comes of it.
                self._connection.unanswered += waiting not in self._waiting
                raise
            finally:
                timer.cancel()
                if waiting in self._waiting:
                    self._waiting.remove(waiting)
            if rows is not None:
                return rows, True
        return await self._connection.rows("accept", statements.ACCEPT, *arguments), False

    async def exchange(self, arguments: Sequence[Any]) -> Rows:
        """Return the rows of ``EXCHANGE``. Raises ``TaskQueueError``."""
        waiting = self._next()
        self._under_way += 1
        follows = False
        try:
            rows = await self._exchange(arguments, waiting)
            follows = any(row["part"] == statements.LEASED for row in rows)
        finally:
            self._under_way -= 1
            self._follow = follows
            self._wait_for_the_next(TURNS if follows else 0)
        return rows

    def _end_wait(self, waiting: _Waiting) -> None:
        """Let one go alone that no exchange has taken along yet."""
        if waiting in self._waiting:
            waiting.go_alone()

    def _next(self) -> _Waiting | None:
        """Return the accept that goes along; one without time left finds that out by itself."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if waiting.time_left() > 0 and not waiting.answer.done():
                return waiting
            waiting.go_alone()
        return None

    async def _exchange(self, arguments: Sequence[Any], waiting: _Waiting | None) -> Rows:
        if waiting is not None:
            try:
                return await self._together(arguments, waiting)
            except TaskQueueError as error:
                if not failures.nothing_happened(error) or context.remaining(SECONDS) <= 0:
                    raise
        return await self._connection.rows("exchange", statements.EXCHANGE, *arguments)

    async def _together(self, arguments: Sequence[Any], waiting: _Waiting) -> Rows:
        """Send both, within the time of whoever has more; settle the accept."""
        left = max(context.remaining(SECONDS), waiting.time_left())
        try:
            with context.call(context.correlation_id(), left, context.caller()):
                rows = await self._connection.rows(
                    "exchange_and_accept",
                    statements.EXCHANGE_AND_ACCEPT,
                    *arguments,
                    *waiting.arguments,
                )
        except TaskQueueError as error:
            if failures.nothing_happened(error) and waiting.time_left() > 0:
                waiting.go_alone()
            else:
                waiting.fail(error)
            raise
        except BaseException as error:
            waiting.fail(StoreUnreachable(self._connection.name, f"{type(error).__name__}"))
            raise
        waiting.succeed([row for row in rows if row["part"] == statements.ACCEPTED])
        return [row for row in rows if row["part"] != statements.ACCEPTED]

    def _wait_for_the_next(self, turns: int) -> None:
        """Let those who wait go alone unless an exchange comes within so many turns."""
        if self._under_way:
            return
        if turns:
            asyncio.get_running_loop().call_soon(self._wait_for_the_next, turns - 1)
            return
        self._follow = False
        while self._waiting:
            self._waiting.popleft().go_alone()


class _Waiting:
    """An accept that may go along with the next exchange; ``answer`` is ``None`` if it may not."""

    def __init__(self, arguments: Sequence[Any]) -> None:
        loop = asyncio.get_running_loop()
        self.arguments = arguments
        self.answer: asyncio.Future[Rows | None] = loop.create_future()
        self._ends = loop.time() + context.remaining(SECONDS)

    def time_left(self) -> float:
        return self._ends - self.answer.get_loop().time()

    def succeed(self, rows: Rows) -> None:
        self._settle(rows)

    def go_alone(self) -> None:
        self._settle(None)

    def fail(self, error: TaskQueueError) -> None:
        if not self.answer.done():
            self.answer.set_exception(copy_of(error))

    def _settle(self, rows: Rows | None) -> None:
        if not self.answer.done():
            self.answer.set_result(rows)
