"""One node of a cache, a real Redis: what it keeps, and that nothing fails when it does."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from common.cache.node import CacheNode
from common.flows.background import Background
from common.services.redis import CACHE_BYTES
from tests.support.caches import CacheServer, cache_servers
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.needs("redis")


class Seen:
    """Counts what a node is asked, and what of it fails."""

    def __init__(self) -> None:
        self.trips: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.found: Counter[bool] = Counter()

    def asked(self, operation: str) -> None:
        self.trips[operation] += 1

    def looked(self, *, hit: bool) -> None:
        self.found[hit] += 1

    def failed(self, kind: str) -> None:
        self.failures[kind] += 1


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CacheServer]:
    with cache_servers(1, tmp_path) as (made,):
        yield made


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def node(server: CacheServer, seen: Seen) -> AsyncIterator[CacheNode]:
    """Connected, and watched as a process does."""
    background = Background()
    made = CacheNode(server.address, seen, background)
    watching = asyncio.create_task(made.watch())
    await eventually_async(lambda: made.answers)
    yield made
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    await background.drain()
    await made.close()


async def keep(node: CacheNode, *keys: str, milliseconds: int = 60_000) -> None:
    for key in keys:
        node.put(key, key.encode(), milliseconds)
    await eventually_async(lambda: not node.puts)


async def test_what_is_put_is_found_until_its_time_is_over(
    node: CacheNode, server: CacheServer, seen: Seen
) -> None:
    await keep(node, "long")
    await keep(node, "short", milliseconds=1)
    assert await node.get("long") == b"long"
    assert 0 < int(server.ask("PTTL", "long")) <= 60_000
    assert await node.get("nothing") is None
    await eventually_async(lambda: server.ask("EXISTS", "short") == "0")
    assert await node.get("short") is None
    assert seen.found == {True: 1, False: 2}


async def test_many_who_look_and_many_who_keep_at_once_share_trips(
    node: CacheNode, seen: Seen
) -> None:
    keys = [f"key-{number}" for number in range(60)]
    await keep(node, *keys)
    assert seen.trips == {"put": 1}
    found = await asyncio.gather(*map(node.get, keys))
    assert found == [key.encode() for key in keys]
    assert seen.trips == {"put": 1, "get": 1}


async def test_a_killed_node_has_nothing_and_is_asked_again_once_it_is_back(
    node: CacheNode, server: CacheServer, seen: Seen
) -> None:
    await keep(node, "key")
    server.kill()
    assert await node.get("key") is None
    await eventually_async(lambda: not node.answers and seen.failures["unconnected"] > 0)
    node.put("key", b"lost", 1000)
    assert await node.get("key") is None
    server.start()
    await eventually_async(lambda: node.answers)
    assert await node.get("key") is None
    await keep(node, "key")
    assert await node.get("key") == b"key"


async def test_a_node_that_stands_still_is_left_out_until_it_answers(
    node: CacheNode, server: CacheServer, seen: Seen
) -> None:
    await keep(node, "key")
    server.send(signal.SIGSTOP)
    try:
        found = await asyncio.gather(*(node.get("key") for _ in range(20)))
        assert found == [None] * 20
        assert not node.answers
        assert seen.failures["late"] > 0
        trips = seen.trips["get"]
        # It takes connections all the same.
        await eventually_async(lambda: seen.failures["unconnected"] > 1)
        assert await node.get("key") is None
        assert seen.trips["get"] <= trips + 1
    finally:
        server.send(signal.SIGCONT)
    await eventually_async(lambda: node.answers)
    assert await node.get("key") == b"key"


async def test_one_whose_clients_are_ended_is_connected_to_again(
    node: CacheNode, server: CacheServer
) -> None:
    await keep(node, "key")
    server.ask("CLIENT", "KILL", "TYPE", "normal")
    await eventually_async(lambda: not node.answers)
    assert await node.get("key") is None
    await eventually_async(lambda: node.answers)
    assert await node.get("key") == b"key"


async def test_a_full_node_makes_room_and_writes_no_file(
    node: CacheNode, server: CacheServer, seen: Seen
) -> None:
    large = b"x" * (1 << 20)
    for number in range(2 * CACHE_BYTES // len(large)):
        node.put(f"large-{number}", large, 60_000)
        await eventually_async(lambda: not node.puts)
    await keep(node, "last")
    assert await node.get("last") == b"last"
    assert not seen.failures
    server.ask("SHUTDOWN")
    assert list(server.folder.iterdir()) == []
