"""One connection to Redis, on which any number of commands are under way at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

import hiredis

Argument = str | bytes | int | float


class Closed(Exception):
    """The connection ended before the answer came; the command may have been executed."""


class Wire(asyncio.Protocol):
    """Sends commands, and gives each its answer: Redis answers in the order in which it was asked.

    The answer for a caller that waits no longer is read and dropped, so the next one never gets it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._unanswered: deque[tuple[asyncio.Future[Any], float]] = deque()
        self.closed = False

    async def ask(self, *command: Argument) -> Any:
        """Return the answer to a command; an error of Redis is one, a ``hiredis.ReplyError``.

        Raises :class:`Closed`.
        """
        if self._transport is None or self.closed:
            raise Closed("the connection is closed")
        answer = self._loop.create_future()
        self._unanswered.append((answer, self._loop.time()))
        # Its types say that a command is one word.
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type]
        return await answer

    async def ask_together(self, *commands: Sequence[Argument]) -> list[Any]:
        """Return the answers to commands that go in one write, as :meth:`ask` does."""
        if self._transport is None or self.closed:
            raise Closed("the connection is closed")
        now = self._loop.time()
        answers = [self._loop.create_future() for _ in commands]
        self._unanswered.extend((answer, now) for answer in answers)
        self._transport.write(b"".join(map(packed, commands)))
        return await asyncio.gather(*answers)

    def silence(self) -> float:
        """Return for how many seconds the oldest command has been without its answer."""
        return self._loop.time() - self._unanswered[0][1] if self._unanswered else 0.0

    def close(self, why: str) -> None:
        """End the connection at once: what is without an answer gets none."""
        self._end(why)
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # Not of that class with every event loop.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Give what has come to those who wait for it."""
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not False:
                waiting, _ = self._unanswered.popleft()
                if not waiting.done():
                    waiting.set_result(answer)
        except (hiredis.ProtocolError, IndexError) as error:
            self.close(f"what came is no answer: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what has no answer yet."""
        self._end(str(exc or "the connection was closed"))

    def _end(self, why: str) -> None:
        self.closed = True
        while self._unanswered:
            waiting, _ = self._unanswered.popleft()
            if not waiting.done():
                waiting.set_exception(Closed(why))


async def connect(host: str, port: int, *commands: Sequence[Argument]) -> Wire:
    """Return a connection on which these commands were answered.

    Raises ``OSError``, :class:`Closed`, or ``hiredis.ReplyError`` if one was refused.
    """
    _, wire = await asyncio.get_running_loop().create_connection(Wire, host, port)
    try:
        for command in commands:
            answer = await wire.ask(*command)
            if isinstance(answer, hiredis.ReplyError):
                raise answer
    except BaseException:
        wire.close("it was not prepared")
        raise
    return wire


def packed(command: Sequence[Argument]) -> bytes:
    """Return a command as it is sent."""
    # Its types say that a command is one word.
    sent: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]
    return sent


def host_and_port(address: str) -> tuple[str, int]:
    """Return both of a ``host:port``."""
    host, _, port = address.rpartition(":")
    return host, int(port)
