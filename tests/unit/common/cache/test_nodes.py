"""Which node of a cache has a key, while all answer and while one does not."""

from __future__ import annotations

from common.cache.nodes import CacheNodes
from common.ring import Ring

NAMES = [f"cache-{number}" for number in range(1, 5)]
KEYS = [f"status:{number}" for number in range(2000)]


class FakeNode:
    """A node that remembers what it was asked."""

    def __init__(self) -> None:
        self.answers = True
        self.kept: dict[str, bytes] = {}
        self.asked: list[str] = []

    async def get(self, key: str) -> bytes | None:
        self.asked.append(key)
        return self.kept.get(key)

    def put(self, key: str, value: bytes, milliseconds: int) -> None:
        self.kept[key] = value


async def found_in(nodes: CacheNodes) -> dict[str, bool]:
    return {key: await nodes.get(key) is not None for key in KEYS}


async def test_the_keys_of_a_node_that_is_lost_alone_move_and_come_back_with_it() -> None:
    made = {name: FakeNode() for name in NAMES}
    nodes = CacheNodes(made)
    for key in KEYS:
        nodes.put(key, b"kept", 1)
    assert all(node.kept for node in made.values())
    lost = set(made["cache-2"].kept)

    made["cache-2"].answers = False
    made["cache-2"].asked.clear()
    assert nodes.answering() == 3
    assert {key for key, hit in (await found_in(nodes)).items() if not hit} == lost
    assert not made["cache-2"].asked
    for key in lost:
        nodes.put(key, b"kept", 1)
    assert all((await found_in(nodes)).values())

    made["cache-2"].answers = True
    made["cache-2"].kept.clear()
    assert {key for key, hit in (await found_in(nodes)).items() if not hit} == lost


async def test_two_processes_look_for_a_key_at_the_same_node() -> None:
    made = {name: FakeNode() for name in NAMES}
    other = dict(reversed(list(made.items())))
    one, two = CacheNodes(made), CacheNodes(other)
    for key in KEYS:
        one.put(key, b"kept", 1)
    assert all((await found_in(two)).values())
    ring = Ring(NAMES)
    assert {key for key in KEYS if ring.member_of(key) == "cache-1"} == set(made["cache-1"].kept)


async def test_without_any_node_that_answers_nothing_is_found_and_nothing_kept() -> None:
    nodes = CacheNodes({"cache-1": (node := FakeNode())})
    node.answers = False
    nodes.put("status:1", b"kept", 1)
    assert await nodes.get("status:1") is None
    assert not node.kept
    assert not node.asked
