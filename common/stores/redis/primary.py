"""Calls to whichever copy of a Redis is the primary."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import hiredis

from common.domain.errors import TaskQueueError
from common.ports import StoreObserver
from common.redis_wire import Argument, Closed, Wire
from common.stores.redis.connection import Connection
from common.stores.redis.sentinels import Sentinels

CONNECTED = 1.0
"""Seconds that a server may take to say that it is the primary."""
ACKNOWLEDGED = 1.0
"""Seconds that replicas may take to acknowledge what an answer shows."""
# It changes nothing and goes to the replicas: so they have to acknowledge for an answer that only
# reads, too. Redis 7.2 and later do not wait for what others have written.
_MARK = ("PUBLISH", "taskqueue", "")


class PrimaryConnection(Connection):
    """Runs scripts at the primary of copies, and looks for another one as soon as there is one.

    An answer is given once ``replicas`` copies have acknowledged all that it shows. If they do not
    in time nobody knows whether it is kept, as when the answer is lost.
    """

    def __init__(
        self, name: str, sentinels: Sentinels, observer: StoreObserver, replicas: int = 0
    ) -> None:
        super().__init__(name, "", observer)
        self._sentinels = sentinels
        self._replicas = replicas
        sentinels.follow(self._moved)

    async def _open(self) -> Wire:
        address = self._address = await self._sentinels.primary()
        # One that is frozen accepts a connection, and is no longer the primary soon.
        async with asyncio.timeout(CONNECTED):
            wire = await super()._open()
            try:
                role, *_ = await wire.ask("ROLE")
            except BaseException:
                wire.close("it does not say what it is")
                raise
        # The sentinels may have switched in the meantime, to which it need not agree.
        if role != b"master" or self._sentinels.latest != address:
            wire.close("it is not the primary any more, or not yet")
            raise Closed(f"{address} is not the primary any more, or not yet")
        return wire

    def _moved(self, address: str) -> None:
        if address != self._address:
            self._give_up(f"{address} is the primary now")

    def _give_up(self, why: str) -> None:
        if self._wire is not None and not self._wire.closed:
            self._wire.close(why)

    async def _answer(self, wire: Wire, operation: str, *command: Argument) -> Any:
        if not self._replicas:
            return await super()._answer(wire, operation, *command)
        began = time.perf_counter()
        wait = ("WAIT", self._replicas, round(ACKNOWLEDGED * 1000))
        try:
            answer, _, acknowledged = await wire.ask_together(command, _MARK, wait)
        finally:
            self._observer.asked(operation, time.perf_counter() - began)
        if isinstance(answer, hiredis.ReplyError):
            return answer
        if isinstance(acknowledged, hiredis.ReplyError):
            self._give_up("it is a replica")
            acknowledged = 0
        if acknowledged < self._replicas:
            raise Closed(f"{acknowledged} replicas of {self._replicas} acknowledged it in time")
        return answer

    def _checked(self, answer: Any) -> Any:
        try:
            return super()._checked(answer)
        except TaskQueueError:
            if str(answer).startswith("READONLY"):
                self._give_up("it is a replica")
            raise
