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


class Waking:
    """Wakes one dequeue at a time; whoever finds more than it takes, or leaves, wakes the next.

    If none waits here, and another process had one that waited when it was met last, all others are
    notified. That is a transaction of its own: one that notifies and writes holds up every other
    such while it waits for the disk.
    """

    def __init__(self, connection: Connection, members: Members) -> None:
        self._connection = connection
        self._members = members
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._has_waited = False
        self._notifying: asyncio.Task[None] | None = None
        self.stopping = False

    async def listen(self) -> None:
        """See to it that others can wake dequeues here. Raises ``TaskQueueError``."""
        await self._connection.listen(CHANNEL, self._notified)

    def has_waited(self) -> bool:
        """Return whether a dequeue waits, or did since this was asked last."""
        waited, self._has_waited = self._has_waited or bool(self._waiting), False
        return waited

    async def wait(self, seconds: float) -> None:
        """Wait to be woken, up to so many seconds."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = None
        self._has_waited = True
        try:
            await asyncio.wait([waiter], timeout=max(0.0, seconds))
        except asyncio.CancelledError:
            if waiter.done():
                self._wake_here()
            raise
        finally:
            self._waiting.pop(waiter, None)

    def wake(self) -> None:
        """Wake whoever has waited longest here, or else somewhere else."""
        if not self._wake_here() and self._members.others_wait and self._notifying is None:
            self._notifying = asyncio.create_task(self._notify())

    def stop(self) -> None:
        """Wake all, now and from now on."""
        self.stopping = True
        while self._wake_here():
            pass

    def _notified(self, *_: object) -> None:
        self._wake_here()

    async def _notify(self) -> None:
        try:
            with context.call():
                await self._connection.rows("notify", NOTIFY)
        except TaskQueueError as error:
            # Who waits asks by itself before long.
            logger.info("nobody was notified: %s", error)
        finally:
            self._notifying = None

    def _wake_here(self) -> bool:
        if not self._waiting:
            return False
        waiter, _ = self._waiting.popitem(last=False)
        waiter.set_result(None)
        return True
