"""Accepts that go along with an exchange: one trip to the store for both."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from common import context
from common.domain.errors import StoreUnreachable, TaskQueueError, copy_of
from common.stores.server import SECONDS

LONGEST = 0.05
"""Seconds after which an accept goes alone: the exchange under way may have met a lock."""
TURNS = 16
"""Turns of the event loop in which the next exchange comes where jobs end at once.

In these the answer of an exchange gets to the worker, the jobs that it brought begin and end, and
they are reported.
"""

Arguments = Sequence[Any]
Accepted = TypeVar("Accepted")
Accepted_co = TypeVar("Accepted_co", covariant=True)
Exchanged = TypeVar("Exchanged")


class Trips(Protocol[Accepted_co, Exchanged]):
    """What goes to a store, each at once; all raise ``TaskQueueError``."""

    name: str
    """Of the store, in errors."""

    async def accept(self, arguments: Arguments) -> Accepted_co:
        """Return the store's answer to an accept."""

    async def exchange(self, arguments: Arguments) -> Exchanged:
        """Return the store's answer to an exchange."""

    async def exchange_and_accept(
        self, exchange: Arguments, accept: Arguments
    ) -> tuple[Exchanged, Accepted_co]:
        """Return the answers to both, of which the exchange comes first."""

    def has_brought(self, answer: Exchanged) -> bool:
        """Return whether an exchange has brought jobs."""

    def nothing_happened(self, error: TaskQueueError) -> bool:
        """Return whether a trip that failed so had no effect."""

    def note_unanswered(self) -> None:
        """Note an accept under way of which nobody will learn what came of it."""


class Joining(Generic[Accepted, Exchanged]):
    """Sends accepts and exchanges.

    An exchange is sent at once. So is an accept, unless an exchange is under way, or has just
    ended, and the last one brought jobs: then the next is as good as certain, and the accept goes
    along with that. It does not wait for one that may come: where none follows within a few turns
    of the event loop, or the one under way takes long, the accept goes alone.

    Whatever comes of one of the two is nothing to the other: where both failed and nothing
    happened, each is sent by itself.
    """

    def __init__(self, trips: Trips[Accepted, Exchanged]) -> None:
        self._trips = trips
        self._waiting: deque[_Waiting[Accepted]] = deque()
        self._under_way = 0
        self._follow = False

    async def accept(self, arguments: Arguments) -> tuple[Accepted, bool]:
        """Return the answer to an accept, and whether it went along. Raises ``TaskQueueError``."""
        if self._follow:
            waiting = _Waiting[Accepted](arguments)
            self._waiting.append(waiting)
            timer = asyncio.get_running_loop().call_later(LONGEST, self._end_wait, waiting)
            try:
                answer = await waiting.answer
            except asyncio.CancelledError:
                if waiting not in self._waiting:
                    self._trips.note_unanswered()
                raise
            finally:
                timer.cancel()
                if waiting in self._waiting:
                    self._waiting.remove(waiting)
            if answer is not None:
                return answer, True
        return await self._trips.accept(arguments), False

    async def exchange(self, arguments: Arguments) -> Exchanged:
        """Return the answer to an exchange. Raises ``TaskQueueError``."""
        waiting = self._next()
        self._under_way += 1
        follows = False
        try:
            answer = await self._exchange(arguments, waiting)
            follows = self._trips.has_brought(answer)
        finally:
            self._under_way -= 1
            self._follow = follows
            self._wait_for_the_next(TURNS if follows else 0)
        return answer

    def _end_wait(self, waiting: _Waiting[Accepted]) -> None:
        """Let one go alone that no exchange has taken along yet."""
        if waiting in self._waiting:
            waiting.go_alone()

    def _next(self) -> _Waiting[Accepted] | None:
        """Return the accept that goes along; one without time left finds that out by itself."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if waiting.time_left() > 0 and not waiting.answer.done():
                return waiting
            waiting.go_alone()
        return None

    async def _exchange(
        self, arguments: Arguments, waiting: _Waiting[Accepted] | None
    ) -> Exchanged:
        if waiting is not None:
            try:
                return await self._together(arguments, waiting)
            except TaskQueueError as error:
                if not self._trips.nothing_happened(error) or context.remaining(SECONDS) <= 0:
                    raise
        return await self._trips.exchange(arguments)

    async def _together(self, arguments: Arguments, waiting: _Waiting[Accepted]) -> Exchanged:
        """Send both, within the time of whoever has more; settle the accept."""
        left = max(context.remaining(SECONDS), waiting.time_left())
        try:
            with context.call(context.correlation_id(), left, context.caller()):
                exchanged, accepted = await self._trips.exchange_and_accept(
                    arguments, waiting.arguments
                )
        except TaskQueueError as error:
            if self._trips.nothing_happened(error) and waiting.time_left() > 0:
                waiting.go_alone()
            else:
                waiting.fail(error)
            raise
        except BaseException as error:
            waiting.fail(StoreUnreachable(self._trips.name, f"{type(error).__name__}"))
            raise
        waiting.succeed(accepted)
        return exchanged

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


class _Waiting(Generic[Accepted]):
    """An accept that may go along with the next exchange; ``answer`` is ``None`` if it may not."""

    def __init__(self, arguments: Arguments) -> None:
        loop = asyncio.get_running_loop()
        self.arguments = arguments
        self.answer: asyncio.Future[Accepted | None] = loop.create_future()
        self._ends = loop.time() + context.remaining(SECONDS)

    def time_left(self) -> float:
        return self._ends - self.answer.get_loop().time()

    def succeed(self, answer: Accepted) -> None:
        self._settle(answer)

    def go_alone(self) -> None:
        self._settle(None)

    def fail(self, error: TaskQueueError) -> None:
        if not self.answer.done():
            self.answer.set_exception(copy_of(error))

    def _settle(self, answer: Accepted | None) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)
