"""A client of copies of a Redis, beside sentinels and servers that say what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import hiredis
import pytest

from common.domain.errors import StoreUnreachable, StoreUnready
from common.stores.redis import primary, sentinels
from common.stores.redis.primary import PrimaryConnection
from common.stores.redis.sentinels import Sentinels
from tests.support.stores import Unwatched
from tests.support.waiting import eventually_async

Answer = Callable[[list[bytes]], bytes]


class Scripted:
    """Serves Redis' protocol on a port: answers each command as a test wants."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[list[bytes]] = []
        self.open: set[asyncio.StreamWriter] = set()
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        commands = hiredis.Reader()
        while came := await reader.read(1 << 16):
            commands.feed(came)
            while (command := commands.gets()) is not False:
                self.asked.append(command)
                writer.write(self.answer(command))
        self.open.discard(writer)
        writer.close()

    def names(self) -> list[bytes]:
        return [each[0] for each in self.asked]


def array(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Says:
    """A sentinel of a test: it says which election it knows of and whom that made the primary."""

    def __init__(self, epoch: int, address: str) -> None:
        self.epoch, self.address = epoch, address
        self.flags = b"master"

    def __call__(self, command: list[bytes]) -> bytes:
        host, port = (each.encode() for each in self.address.split(":"))
        if command[0] == b"SUBSCRIBE":
            return b"*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"
        if command[1] == b"MASTER":
            where = (b"ip", host, b"port", port)
            return array(*where, b"flags", self.flags, b"config-epoch", b"%d" % self.epoch)
        return array(host, port)


def copy(role: bytes = b"master", acknowledged: int = 1, refuses: bytes = b"") -> Answer:
    """Return what a server answers of that role, writes and WAIT included."""

    def answer(command: list[bytes]) -> bytes:
        if command[0] == b"ROLE":
            return array(role)
        if command[0] in {b"WAIT", b"PUBLISH"}:
            return b":%d\r\n" % acknowledged
        if command[0] == b"INCR" and refuses:
            return b"-%s\r\n" % refuses
        return b"+OK\r\n"

    return answer


class Seen(Unwatched):
    """Remembers which servers were taken for the primary."""

    def __init__(self) -> None:
        self.primaries: list[str] = []

    def connected(self, store: str, address: str) -> None:
        self.primaries.append(address)


class Stage:
    """Servers that are there until the end of a test, and connections."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.seen = Seen()

    async def server(self, answer: Answer) -> Scripted:
        made = Scripted(answer)
        listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
        self._stack.callback(listening.close)
        made.address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        return made

    async def connection(self, *said: Says, replicas: int = 0) -> PrimaryConnection:
        return await self.around([await self.server(each) for each in said], replicas)

    async def around(self, watching: list[Scripted], replicas: int = 0) -> PrimaryConnection:
        asked = Sentinels("redis", [each.address for each in watching])
        made = PrimaryConnection("redis", asked, self.seen, replicas)
        self._stack.push_async_callback(asked.close)
        self._stack.push_async_callback(made.close)
        return made


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        yield Stage(stack)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentinels, "ANSWER", 0.3)
    monkeypatch.setattr(primary, "CONNECTED", 0.3)


async def test_the_latest_election_holds(stage: Stage) -> None:
    old, new = await stage.server(copy()), await stage.server(copy())
    used = await stage.connection(Says(3, old.address), Says(4, new.address), Says(3, old.address))
    await used.ask("add", "INCR", "n")
    assert b"INCR" in new.names()
    assert old.asked == []
    assert stage.seen.primaries == [new.address]


async def test_a_minority_of_sentinels_is_not_believed(stage: Stage) -> None:
    server = await stage.server(copy())
    there = await stage.server(Says(1, server.address))
    silent = [await stage.server(lambda _command: b"") for _ in range(2)]
    used = await stage.around([there, *silent])
    with pytest.raises(StoreUnready, match="1 of its 3 sentinels answer"):
        await used.ask("add", "INCR", "n")
    assert server.asked == []


async def test_a_replica_is_asked_nothing_whatever_sentinels_say(stage: Stage) -> None:
    server = await stage.server(copy(role=b"slave"))
    used = await stage.connection(*[Says(1, server.address)] * 3)
    with pytest.raises(StoreUnready, match="not the primary"):
        await used.ask("add", "INCR", "n")
    assert b"INCR" not in server.names()


async def test_a_frozen_server_is_waited_for_no_longer_than_a_moment(stage: Stage) -> None:
    server = await stage.server(lambda _command: b"")
    used = await stage.connection(*[Says(1, server.address)] * 3)
    with pytest.raises(StoreUnready, match="does not answer"):
        await used.ask("add", "INCR", "n")


async def test_a_connection_is_given_up_as_soon_as_sentinels_switch(stage: Stage) -> None:
    """Although the old primary is there still, and takes itself for one."""
    old, new = await stage.server(copy()), await stage.server(copy())
    says = Says(1, old.address)
    watching = [await stage.server(says) for _ in range(3)]
    used = await stage.around(watching)
    await used.ask("add", "INCR", "n")
    # Two questions of each by who connects, and by each subscription when it begins.
    await eventually_async(
        lambda: [each.names().count(b"SENTINEL") for each in watching] == [8] * 3
    )
    says.epoch, says.address = 2, new.address
    for writer in watching[0].open:
        writer.write(array(b"message", b"+switch-master", b"redis 127.0.0.1 1 127.0.0.1 2"))
    await eventually_async(lambda: not old.open)
    before = len(old.asked)
    await used.ask("add", "INCR", "n")
    assert len(old.asked) == before
    assert b"INCR" in new.names()


async def test_a_primary_is_left_as_soon_as_sentinels_begin_to_replace_it(stage: Stage) -> None:
    """It may be there again before they have, and a replica may follow it still."""
    server = await stage.server(copy())
    says = Says(1, server.address)
    watching = [await stage.server(says) for _ in range(3)]
    used = await stage.around(watching)
    await used.ask("add", "INCR", "n")
    for each in watching:
        await eventually_async(lambda each=each: each.names().count(b"SENTINEL") == 8)
    says.flags = b"master,s_down,failover_in_progress"
    for writer in watching[0].open:
        writer.write(array(b"message", b"+try-failover", b"master redis 127.0.0.1 1"))
    await eventually_async(lambda: not server.open)
    with pytest.raises(StoreUnready, match="another one the primary"):
        await used.ask("add", "INCR", "n")
    says.flags = b"master"
    await used.ask("add", "INCR", "n")


async def test_who_refuses_as_a_replica_is_left_for_the_primary(stage: Stage) -> None:
    old, new = await stage.server(copy(refuses=b"READONLY no")), await stage.server(copy())
    says = Says(1, old.address)
    used = await stage.connection(says, says, says)
    with pytest.raises(StoreUnready, match="READONLY"):
        await used.ask("add", "INCR", "n")
    says.epoch, says.address = 2, new.address
    await used.ask("add", "INCR", "n")
    assert b"INCR" in new.names()


async def test_replicas_are_waited_for_in_the_same_write(stage: Stage) -> None:
    server = await stage.server(copy(acknowledged=2))
    used = await stage.connection(*[Says(1, server.address)] * 3, replicas=2)
    assert await used.ask("add", "INCR", "n") == b"OK"
    assert server.asked[-3:] == [
        [b"INCR", b"n"],
        [b"PUBLISH", b"taskqueue", b""],
        [b"WAIT", b"2", b"1000"],
    ]


async def test_too_few_acknowledgements_leave_open_whether_it_happened(stage: Stage) -> None:
    server = await stage.server(copy(acknowledged=1))
    used = await stage.connection(*[Says(1, server.address)] * 3, replicas=2)
    with pytest.raises(StoreUnreachable, match="1 replicas of 2"):
        await used.ask("add", "INCR", "n")


async def test_what_was_refused_needs_no_acknowledgement(stage: Stage) -> None:
    server = await stage.server(copy(acknowledged=0, refuses=b"NOREPLICAS no"))
    used = await stage.connection(*[Says(1, server.address)] * 3, replicas=1)
    with pytest.raises(StoreUnready, match="NOREPLICAS"):
        await used.ask("add", "INCR", "n")


async def test_without_replicas_to_wait_for_nothing_more_is_sent(stage: Stage) -> None:
    server = await stage.server(copy())
    used = await stage.connection(*[Says(1, server.address)] * 3)
    await used.ask("add", "INCR", "n")
    assert server.names() == [b"CLIENT", b"ROLE", b"INCR"]
