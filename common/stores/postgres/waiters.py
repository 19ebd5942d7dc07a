"""Dequeues that wait: woken in the order in which they came, here or in another process."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from common import context
from common.domain.errors import TaskQueueError
from common.stores.postgres.connection import Connection
from common.stores.postgres.members import Members
from common.stores.postgres.queue_statements import NOTIFY

logger = logging.getLogger(__name__)

CHANNEL = "entries"
AWAKE = 0.1
"""Seconds after a notification for which others are taken to be awake, unless it is pressing."""


class Waking:
    """Wakes one dequeue at a time; whoever finds more than it takes, or leaves, wakes the next.

    If none waits here, and another process had one that waited when it was met last, all others are
    notified. That is a transaction of its own: one that notifies and writes holds up every other
    such while it waits for the disk.

    So there is one notification under way at a time; and those that were notified are taken to be
    awake for a while, as long as whoever wakes them goes on working as well. What was held back so
    is owed: it is sent as soon as that time ends.
    """

    def __init__(self, connection: Connection, members: Members) -> None:
        self._connection = connection
        self._members = members
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._has_waited = False
        self._notifying: asyncio.Task[None] | None = None
        self._owed = self._is_pressing = self._closed = False
        self._awake_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.rung = 0
        """How often there was something to wake for, whoever it woke."""
        self.stopping = False

    async def listen(self) -> None:
        """See to it that others can wake dequeues here. Raises ``TaskQueueError``."""
        await self._connection.listen(CHANNEL, self._notified)

    def has_waited(self) -> bool:
        """Return whether a dequeue waits, or did since this was asked last."""
        waited, self._has_waited = self._has_waited or bool(self._waiting), False
        return waited

    async def wait(self, seconds: float, since: int) -> None:
        """Wait to be woken, up to so many seconds, unless it has ``rung`` more often ``since``."""
        self._has_waited = True
        if self.rung != since:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = None
        try:
            await asyncio.wait([waiter], timeout=max(0.0, seconds))
        except asyncio.CancelledError:
            if waiter.done():
                self._wake_here()
            raise
        finally:
            self._waiting.pop(waiter, None)

    def wake(self, pressing: bool = True) -> None:
        """Wake whoever has waited longest here, or else somewhere else.

        It is not ``pressing`` where a worker of this process goes on to take work anyway.
        """
        self.rung += 1
        if not self._wake_here() and self._members.others_wait:
            self._owed = True
            self._is_pressing |= pressing
            self._notify_soon(pressing)

    def stop(self) -> None:
        """Wake all, now and from now on."""
        self.stopping = True
        while self._wake_here():
            pass

    def close(self) -> None:
        """Notify nobody any more."""
        self._closed = True
        self._owed = False
        self._end_timer()
        if self._notifying is not None:
            self._notifying.cancel()

    def _notified(self, *_: object) -> None:
        self.rung += 1
        self._wake_here()

    def _notify_soon(self, pressing: bool) -> None:
        """Notify all others: now, or once they are no longer taken to be awake."""
        if self._closed or self._notifying is not None:
            return  # the one under way looks for what is owed once it has ended
        loop = asyncio.get_running_loop()
        if pressing or loop.time() >= self._awake_until:
            self._end_timer()
            self._notifying = loop.create_task(self._notify())
        elif self._timer is None:
            self._timer = loop.call_at(self._awake_until, self._notify_soon, True)

    async def _notify(self) -> None:
        self._owed = self._is_pressing = False
        try:
            with context.call():
                await self._connection.rows("notify", NOTIFY)
        except TaskQueueError as error:
            # Who waits asks by itself before long.
            logger.info("nobody was notified: %s", error)
        finally:
            self._notifying = None
            self._awake_until = asyncio.get_running_loop().time() + AWAKE
            if self._owed:
                self._notify_soon(self._is_pressing)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake_here(self) -> bool:
        if not self._waiting:
            return False
        waiter, _ = self._waiting.popitem(last=False)
        waiter.set_result(None)
        return True
