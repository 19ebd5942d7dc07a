"""Who the primary of a Redis is of which there are copies, by the word of its sentinels."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import hiredis

from common.redis_wire import Closed, connect, host_and_port, packed

ANSWER = 1.0
"""Seconds that a sentinel may take for an answer; one that is silent is left out."""
ALIVE = 2.0
"""Seconds of silence after which a sentinel has to say that it is there, and then once more."""
AGAIN = 0.5
"""Seconds from the loss of a sentinel until it is connected to again."""
# Also of a failover that has only begun: the old primary may be there again before it has ended.
_EVENTS = ("+try-failover", "+switch-master")
_CHUNK = 1 << 16
_LATER = 1 << 64


class NoMajority(OSError):
    """Too few sentinels answer, so nobody knows who the primary is."""


class Replaced(OSError):
    """Sentinels are about to make another copy the primary."""


class Sentinels:
    """Asks the sentinels at these addresses about the primary of the cluster ``name``.

    They also say by themselves when they make another copy the primary: whoever follows is called
    with its address, or with none until it is. So a connection to the old one is given up although
    that may be there again, and take itself for the primary still.
    """

    def __init__(self, name: str, addresses: Sequence[str]) -> None:
        self._name = name
        self._addresses = addresses
        self._followers: list[Callable[[str], None]] = []
        self._watching: list[asyncio.Task[None]] = []
        self.latest = ""

    def follow(self, moved: Callable[[str], None]) -> None:
        """Call ``moved`` with the address of the primary when there may be another one."""
        self._followers.append(moved)

    async def primary(self) -> str:
        """Return ``host:port`` of the primary.

        Of different answers that of the latest election holds. A minority is not believed: it may
        be cut off together with an old primary. Raises :class:`NoMajority`,
        and :class:`Replaced` while there is none.
        """
        if not self._watching:
            self._watching = [
                asyncio.create_task(self._watch(address)) for address in self._addresses
            ]
        asked = [self._asked(address) for address in self._addresses]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        known = [each for each in answers if isinstance(each, tuple)]
        if 2 * len(known) <= len(answers):
            raise NoMajority(f"{len(known)} of its {len(answers)} sentinels answer")
        address = max(known)[1]
        if not address:
            raise Replaced("its sentinels are about to make another one the primary")
        self.latest = address
        return address

    async def close(self) -> None:
        """Follow no longer."""
        for watching in self._watching:
            watching.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    async def _asked(self, address: str) -> tuple[int, str]:
        """Return the election of which a sentinel knows, and whom that made the primary.

        While it replaces one it is nobody, in an election later than all that were.
        """
        async with asyncio.timeout(ANSWER):
            wire = await connect(*host_and_port(address))
            try:
                # Only the second has who is promoted before the last replica follows.
                flat, place = await wire.ask_together(
                    ("SENTINEL", "MASTER", self._name),
                    ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name),
                )
            finally:
                wire.close("all is answered")
        each = iter(flat)
        fields = dict(zip(each, each, strict=True))
        before = [fields[b"ip"], fields[b"port"]]
        if b"failover_in_progress" in fields[b"flags"].split(b",") and place == before:
            return _LATER, ""
        host, port = place
        return int(fields[b"config-epoch"]), f"{host.decode()}:{port.decode()}"

    async def _watch(self, address: str) -> None:
        while True:
            with contextlib.suppress(OSError, Closed, hiredis.HiredisError):
                await self._listen(address)
            await asyncio.sleep(AGAIN)

    async def _listen(self, address: str) -> None:
        """Follow what a sentinel says until it is silent, or has ended."""
        reader, writer = await asyncio.open_connection(*host_and_port(address))
        try:
            writer.write(packed(("SUBSCRIBE", *_EVENTS)))
            messages = hiredis.Reader()
            while came := await _read(reader, writer):
                messages.feed(came)
                while (message := messages.gets()) is not False:
                    if self._concerns(message):
                        await self._move()
        finally:
            writer.close()

    def _concerns(self, message: Sequence[bytes]) -> bool:
        """Say whether there may be another primary; there may when one begins to listen."""
        what, about = message[0], message[-1]
        if what == b"message":
            return self._name.encode() in about.split()[:2]
        return what == b"subscribe"

    async def _move(self) -> None:
        try:
            address = await self.primary()
        except Replaced:
            address = self.latest = ""
        for moved in self._followers:
            moved(address)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Return what comes next, nothing at the end. Raises ``TimeoutError`` if nothing does."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ALIVE):
            return await reader.read(_CHUNK)
    writer.write(packed(("PING",)))
    async with asyncio.timeout(ALIVE):
        return await reader.read(_CHUNK)
