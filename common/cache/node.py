"""One node of a cache: a Redis, which may be slow, or away, without anybody's call failing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

import hiredis

from common import context
from common.domain.errors import (
    DeadlineAlreadyPast,
    DeadlineExceeded,
    StoreUnreachable,
    StoreUnready,
    TaskQueueError,
)
from common.flows.background import Background
from common.flows.coalesce import Coalescer
from common.redis_wire import Argument, Closed, Wire, connect

logger = logging.getLogger(__name__)

LOOKUP_SECONDS = 0.1
"""How long an answer may take: one that is slower is not worth waiting for."""
PAUSE = 1.0
"""Seconds from one try to reach a node that does not answer to the next; one may take as long."""
_MOST_WAITING = 1024
_MOST_AT_ONCE = 64
# Sets each key to its value for its milliseconds: one command, so one trip.
_PUT = "for i = 1, #ARGV, 3 do redis.call('SET', ARGV[i], ARGV[i+1], 'PX', ARGV[i+2]) end"
_Entry = tuple[str, bytes, int]


class NodeObserver(Protocol):
    """Observes what a node is asked, for metrics."""

    def asked(self, operation: str) -> None:
        """A round trip began."""
        ...

    def looked(self, *, hit: bool) -> None:
        """What was looked for was there, or was not."""
        ...

    def failed(self, kind: str) -> None:
        """One failed, or was given up."""
        ...


class CacheNode:
    """Asks the node at ``address``, a ``host:port``, as long as it answers.

    Only :meth:`watch` connects, so no call ever waits for that. A node that fails once is given up
    and left alone until it has answered there.
    """

    def __init__(self, address: str, observer: NodeObserver, background: Background) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._observer = observer
        self._background = background
        self._wire: Wire | None = None
        self._lookups: Coalescer[str, bytes | None] = Coalescer(_Lookups(self))
        self._waiting: list[_Entry] = []
        self.puts = False
        """Whether something waits to be kept, or is on its way."""

    @property
    def answers(self) -> bool:
        """Whether it is asked."""
        return self._wire is not None and not self._wire.closed

    async def watch(self) -> None:
        """Until canceled: connect, and again whenever the connection was lost."""
        while True:
            if not self.answers:
                await self._connect()
            await asyncio.sleep(PAUSE)

    async def get(self, key: str) -> bytes | None:
        """Return what it keeps under a key; ``None`` for nothing, and when it fails."""
        has_time = context.remaining(LOOKUP_SECONDS) >= LOOKUP_SECONDS
        try:
            (kept,) = await self._lookups.call([key])
        except TaskQueueError as error:
            late = isinstance(error, DeadlineExceeded | DeadlineAlreadyPast)
            # It is not to blame for a caller who had less time than it may take.
            if has_time or not late:
                self._failed("late" if late else "unreachable", str(error))
            return None
        self._observer.looked(hit=kept is not None)
        return kept

    def put(self, key: str, value: bytes, milliseconds: int) -> None:
        """Have it keep something for so long, together with what comes meanwhile."""
        if len(self._waiting) >= _MOST_WAITING:
            self._observer.failed("crowded")
            return
        self._waiting.append((key, value, milliseconds))
        if not self.puts:
            self.puts = True
            self._background.start(self._put(), "keep answers")

    async def close(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            self._wire.close("this process has closed the connection")

    async def ask(self, operation: str, *command: Argument) -> object:
        """Return the answer to a command. Raises ``TaskQueueError``."""
        if self._wire is None:
            raise StoreUnready("cache", "it was never connected to")
        self._observer.asked(operation)
        try:
            answer = await self._wire.ask(*command)
        except Closed as error:
            raise StoreUnreachable("cache", str(error)) from error
        if isinstance(answer, hiredis.ReplyError):
            raise StoreUnready("cache", str(answer))
        return answer

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(PAUSE):
                # It is there once it answers: one that stands still takes connections too.
                self._wire = await connect(self._host, self._port, ("PING",))
        except (OSError, Closed, hiredis.ReplyError) as error:
            self._observer.failed("unconnected")
            logger.debug("no cache at %s:%d: %s", self._host, self._port, error)
        else:
            logger.info("the cache at %s:%d answers", self._host, self._port)

    async def _put(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:_MOST_AT_ONCE]
                del self._waiting[:_MOST_AT_ONCE]
                words = [word for entry in batch for word in entry]
                async with asyncio.timeout(PAUSE):
                    await self.ask("put", "EVAL", _PUT, 0, *words)
        except (TimeoutError, TaskQueueError) as error:
            self._failed("unkept", str(error) or "it did not answer")
        finally:
            self._waiting.clear()
            self.puts = False

    def _failed(self, kind: str, why: str) -> None:
        self._observer.failed(kind)
        if self.answers and self._wire is not None:
            logger.warning("the cache at %s:%d is left out: %s", self._host, self._port, why)
            self._wire.close(why)


class _Lookups:
    """Lookups in a node as a ``Carrier``: those that come meanwhile share a trip."""

    name = "cache"

    def __init__(self, node: CacheNode) -> None:
        self._node = node

    def time_left(self) -> float:
        left = context.remaining(LOOKUP_SECONDS)
        if left <= 0:
            raise DeadlineAlreadyPast
        return left

    def size(self, key: str) -> int:
        return len(key)

    async def carry(self, keys: Sequence[str]) -> Iterable[bytes | None]:
        found = await self._node.ask("get", "MGET", *keys)
        return found if isinstance(found, list) else []

    def waited(self, within: str, seconds: float) -> None:
        """Count nothing: what a cache is for shows in the times of the methods."""
