"""Calls to Redis, whose failures are errors of the task queue."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import hiredis

from common import context
from common.domain.errors import DeadlineAlreadyPast, StoreUnreachable, StoreUnready
from common.ports import StoreObserver
from common.redis_wire import Argument, Closed, Wire, connect, host_and_port
from common.stores.failing import noting_failures
from common.stores.redis import scripts
from common.stores.redis.errors import translated
from common.stores.server import SECONDS

SILENCE = 4.0
"""Seconds without the answer that is due, after which the connection is taken for dead."""


class Connection:
    """Runs scripts at ``address``, a ``host:port``; ``name`` is that of the store in errors.

    It connects when it is used, also after it has lost the connection. Nothing is ever sent twice.
    """

    def __init__(self, name: str, address: str, observer: StoreObserver) -> None:
        self.name = name
        self._address = address
        self._observer = observer
        self._scripts = scripts.load()
        self._wire: Wire | None = None
        self._connecting: asyncio.Task[Wire] | None = None

    async def run(self, script: str, *arguments: Argument) -> Any:
        """Return what a script answers. Raises ``TaskQueueError``."""
        sha, text = self._scripts[script].sha, self._scripts[script].text
        with noting_failures(self._observer):
            answer = await self._ask(script, SECONDS, "EVALSHA", sha, 0, *arguments)
            if isinstance(answer, hiredis.ReplyError) and str(answer).startswith("NOSCRIPT"):
                answer = await self._ask(script, SECONDS, "EVAL", text, 0, *arguments)
            return self._checked(answer)

    async def ask(self, operation: str, *command: Argument, wait: float = 0.0) -> Any:
        """Return the answer to a command that takes up to ``wait`` seconds by itself.

        ``operation`` is its name for the observer. Raises ``TaskQueueError``.
        """
        with noting_failures(self._observer):
            return self._checked(await self._ask(operation, SECONDS + wait, *command))

    async def close(self) -> None:
        """Close the connection."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._wire is not None:
            self._wire.close("this process has closed the connection")

    async def _ask(self, operation: str, cap: float, *command: Argument) -> Any:
        left = context.remaining(cap)
        if left <= 0:
            raise DeadlineAlreadyPast
        sent = None
        try:
            async with asyncio.timeout(left):
                wire = self._wire
                if wire is None or wire.closed:
                    wire = await self._connected()
                sent = wire
                return await self._answer(wire, operation, *command)
        except Closed as error:
            raise StoreUnreachable(self.name, str(error)) from error
        except TimeoutError:
            if sent is None:
                raise StoreUnready(self.name, "it was not connected to in time") from None
            if sent.silence() >= SILENCE:
                sent.close(f"it said nothing for {SILENCE:g} seconds")
            raise StoreUnreachable(self.name, "it did not answer in time") from None

    async def _answer(self, wire: Wire, operation: str, *command: Argument) -> Any:
        began = time.perf_counter()
        try:
            with context.asking_store():
                return await wire.ask(*command)
        finally:
            self._observer.asked(operation, time.perf_counter() - began)

    def _checked(self, answer: Any) -> Any:
        if isinstance(answer, hiredis.ReplyError):
            raise translated(self.name, answer)
        return answer

    async def _connected(self) -> Wire:
        """Connect, once for all who wait for it. Raises ``StoreUnready``."""
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(_noted)
        connecting = self._connecting
        await asyncio.wait({connecting})
        if connecting.cancelled():
            raise StoreUnready(self.name, "this process stops")
        try:
            return connecting.result()
        except (OSError, Closed, hiredis.ReplyError) as error:
            why = str(error) or "it does not answer"
            raise StoreUnready(self.name, f"it cannot be connected to: {why}") from error

    async def _connect(self) -> Wire:
        async with asyncio.timeout(SECONDS):
            self._wire = await self._open()
        self._observer.connected(self.name, self._address)
        return self._wire

    async def _open(self) -> Wire:
        # Its answer proves that somebody is there, before anything is sent that has an effect.
        return await connect(*host_and_port(self._address), ("CLIENT", "SETNAME", "taskqueue"))


def _noted(task: asyncio.Task[Wire]) -> None:
    """Whoever waited for the connection may be no longer there to see how that failed."""
    if not task.cancelled():
        task.exception()
