"""A consistent-hash ring: which of a changing set of members is responsible for a key.

Where a member joins, the keys that move go to it, and where one leaves, only its own keys move: of
N members that is about one key in N, where a hash modulo N moves nearly all. The places on the ring
are MD5 digests, so every process computes the same ones, whatever its Python and its hash seed.
"""

from __future__ import annotations

from collections.abc import Iterable

from uhashring import HashRing  # type: ignore[import-untyped]

# Places of each member. More share out the keys more evenly; with so many a member has between
# three quarters and five quarters of an equal part.
_PLACES = 160


class Ring:
    """The ring of the named members; in which order they are named makes no difference."""

    def __init__(self, members: Iterable[str]) -> None:
        names = list(members)
        if not names:
            raise ValueError("a ring has at least one member")
        self._ring = HashRing(names, vnodes=_PLACES)

    def member_of(self, key: str) -> str:
        """Return the member that is responsible for a key."""
        return str(self._ring.get_node(key))
