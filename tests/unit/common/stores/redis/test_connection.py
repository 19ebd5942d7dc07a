"""A connection to somebody who does not answer as Redis does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from common.domain.errors import StoreUnreachable, StoreUnready
from common.stores.redis import connection
from common.stores.redis.connection import Connection
from tests.support.stores import Unwatched

HELLO = b"+OK\r\n"


class Peer:
    """Says this to each who connects, when it is spoken to, and then nothing more."""

    def __init__(self, *says: bytes) -> None:
        self._says = says
        self.connected = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        for answer in self._says:
            await reader.read(10_000)
            writer.write(answer)
        while await reader.read(10_000):
            pass
        writer.close()


@asynccontextmanager
async def speaking(says: Sequence[bytes]) -> AsyncIterator[tuple[Peer, Connection]]:
    peer = Peer(*says)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    used = Connection("redis", f"127.0.0.1:{port}", Unwatched())
    async with server:
        yield peer, used
        await used.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SECONDS", 0.2)


async def test_a_connection_that_has_gone_silent_is_replaced() -> None:
    async with speaking([HELLO]) as (peer, used):
        for _ in range(2):
            with pytest.raises(StoreUnreachable):
                await used.ask("ping", "PING")
        assert peer.connected == 2


async def test_who_does_not_greet_is_sent_nothing() -> None:
    async with speaking([]) as (_, used):
        with pytest.raises(StoreUnready):
            await used.ask("ping", "PING")


async def test_what_is_no_answer_ends_the_connection() -> None:
    async with speaking([HELLO, b"!?\r\n"]) as (peer, used):
        for _ in range(2):
            with pytest.raises(StoreUnreachable):
                await used.ask("ping", "PING")
        assert peer.connected == 2


async def test_callers_who_ask_at_once_share_one_connection() -> None:
    async with speaking([HELLO, b"+1\r\n+2\r\n+3\r\n"]) as (peer, used):
        answers = await asyncio.gather(*(used.ask("ping", "PING") for _ in range(3)))
        assert answers == [b"1", b"2", b"3"]
        assert peer.connected == 1
