"""The nodes of a cache, of which a ring says which has what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from common.ring import Ring


class Node(Protocol):
    """One node, which is left out while it does not answer."""

    @property
    def answers(self) -> bool:
        """Whether it is asked."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return what it keeps under a key; ``None`` for nothing, also when it fails."""
        ...

    def put(self, key: str, value: bytes, milliseconds: int) -> None:
        """Have it keep something for so long."""
        ...


class CacheNodes:
    """Shares out keys over the nodes that answer.

    Those of one that does not are the others' until it is back. What it has then is as right as it
    was: no answer that was kept ever changes.
    """

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._on_ring: list[str] = []
        self._ring: Ring | None = None

    def answering(self) -> int:
        """Return how many nodes answer."""
        return sum(node.answers for node in self._nodes.values())

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a key, ``None`` for nothing."""
        node = self._node_of(key)
        return None if node is None else await node.get(key)

    def put(self, key: str, value: bytes, milliseconds: int) -> None:
        """Have something kept for so long, if there is a node for it."""
        if (node := self._node_of(key)) is not None:
            node.put(key, value, milliseconds)

    def _node_of(self, key: str) -> Node | None:
        answering = [name for name, node in self._nodes.items() if node.answers]
        if answering != self._on_ring:
            self._on_ring = answering
            self._ring = Ring(answering) if answering else None
        return self._nodes[self._ring.member_of(key)] if self._ring is not None else None
