"""Waking those who wait for an entry, each of them for one."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from contextvars import Context

from common.domain.errors import TaskQueueError
from common.stores.redis.connection import Connection

LONGEST_WAIT = 1.0
"""Seconds after which who waits looks by itself: a token is lost with a process that it woke."""


class Bell:
    """Waits for tokens of a queue for all of this process who wait.

    Redis gives each token to one process, and that wakes the one who has waited longest: no caller
    takes a token with it when it leaves.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._listening: asyncio.Task[None] | None = None

    async def wait(self, seconds: float) -> None:
        """Return when an entry may have come, after ``seconds`` at the latest."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = None
        if self._listening is None:
            # For all: it must not end with the time of the caller who began it.
            self._listening = asyncio.create_task(self._listen(), context=Context())
        try:
            await asyncio.wait([waiter], timeout=min(seconds, LONGEST_WAIT))
        except asyncio.CancelledError:
            if waiter.done():
                self._wake_one()
            raise
        finally:
            self._waiting.pop(waiter, None)

    def wake_all(self) -> None:
        """Wake all who wait."""
        while self._waiting:
            self._wake_one()

    async def close(self) -> None:
        """Stop waiting for tokens."""
        self.wake_all()
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening
        await self._connection.close()

    def _wake_one(self) -> None:
        if self._waiting:
            waiter, _ = self._waiting.popitem(last=False)
            waiter.set_result(None)

    async def _listen(self) -> None:
        try:
            while self._waiting:
                if await self._connection.ask(
                    "wait", "BLPOP", "wake", LONGEST_WAIT, wait=LONGEST_WAIT
                ):
                    if not self._waiting:
                        # Somebody waits elsewhere, or will.
                        await self._connection.ask("wake", "RPUSH", "wake", "1")
                    self._wake_one()
        except TaskQueueError:
            # Whoever looks now meets the error, or finds that it is over.
            await asyncio.sleep(LONGEST_WAIT)
            self.wake_all()
        finally:
            self._listening = None
