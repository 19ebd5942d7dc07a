"""Those who wait for a call that several share, each with a deadline of their own."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from common import context
from common.domain.errors import TaskQueueError, copy_of

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")

EARLY = 0.001
"""Seconds by which a timer of the loop may come too soon."""


class SharedCall:
    """A call under way, and how many still wait for it."""

    __slots__ = ("left", "task")

    def __init__(self, task: asyncio.Task[None], left: int) -> None:
        self.task = task
        self.left = left


class Waiter(Generic[Entry, Answer]):
    """Someone who waits for the answers to some entries, in all of ``size`` bytes.

    ``ends`` is on the loop's clock.

    ``call`` carries the entries; without one they are not sent.
    """

    __slots__ = ("answers", "call", "correlation", "ends", "entries", "size", "within")

    def __init__(
        self,
        entries: Sequence[Entry],
        size: int,
        left: float,
        answers: asyncio.Future[list[Answer]],
    ) -> None:
        handling = context.handling()
        self.entries = entries
        self.answers = answers
        self.ends = answers.get_loop().time() + left
        self.size = size
        self.correlation = context.correlation_id()
        self.within = handling.method if handling is not None else ""
        self.call: SharedCall | None = None

    def succeed(self, answers: list[Answer]) -> None:
        """Give the answers, unless nobody waits any more."""
        if not self.answers.done():
            self.answers.set_result(answers)

    def fail(self, error: TaskQueueError) -> None:
        """Give an error of one's own of the same kind, unless nobody waits any more."""
        if not self.answers.done():
            self.answers.set_exception(copy_of(error))


class Deadlines(Generic[Entry, Answer]):
    """Has whoever waits beyond their deadline expire. One timer for all: most never need it."""

    def __init__(
        self, expire: Callable[[Waiter[Entry, Answer]], None], own: contextvars.Context
    ) -> None:
        self._expire = expire
        self._context = own
        self._waiting: dict[Waiter[Entry, Answer], None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = float("inf")

    def add(self, waiter: Waiter[Entry, Answer]) -> None:
        """Watch the deadline of one more."""
        self._waiting[waiter] = None
        if waiter.ends < self._next:
            self._arm(waiter.ends)

    def discard(self, waiter: Waiter[Entry, Answer]) -> None:
        """Watch it no longer."""
        self._waiting.pop(waiter, None)
        if not self._waiting:
            self._disarm()

    def _arm(self, at: float) -> None:
        self._disarm()
        self._next = at
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(at, self._check, context=self._context)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._next = float("inf")

    def _check(self) -> None:
        now = asyncio.get_running_loop().time() + EARLY
        for waiter in [each for each in self._waiting if each.ends <= now]:
            del self._waiting[waiter]
            self._expire(waiter)
        if self._waiting:
            self._arm(min(waiter.ends for waiter in self._waiting))
        else:
            self._disarm()
