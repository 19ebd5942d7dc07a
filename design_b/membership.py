"""Who the nodes are, and where request ids have and had their homes, as plain values.

A membership has a version; the greatest is the one that holds. It names the members, which can be
called, and all rings that there were, the last of which gives the homes. A node that leaves is not
in the last ring and still a member, until it is removed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from common.config import ConfigError
from common.ring import Ring

Numbers = tuple[int, ...]


@dataclass(frozen=True)
class Membership:
    """The members, ``host:port`` by number, and the numbers in each ring, the oldest first."""

    version: int
    members: Mapping[int, str] = field(hash=False)
    rings: tuple[Numbers, ...]

    def __post_init__(self) -> None:
        if not self.rings or not all(self.rings):
            raise ValueError("a membership has at least one ring, each with a member")
        if absent := set(self.rings[-1]) - self.members.keys():
            raise ValueError(f"nodes {sorted(absent)} are in the ring and no members")

    def home_of(self, request_id: str) -> int:
        """Return the number of the node at which all submits with this request id meet."""
        return _home(self.rings[-1], request_id)

    def earlier_homes(self, request_id: str) -> Iterator[int]:
        """Yield the members that had been its home before, the latest first.

        What a removed node knew is gone with it.
        """
        met = {self.home_of(request_id)}
        for ring in reversed(self.rings[:-1]):
            home = _home(ring, request_id)
            if home not in met and home in self.members:
                yield home
            met.add(home)

    def takes_jobs(self, number: int) -> bool:
        """Return whether a node is in the ring; one that leaves takes no new jobs."""
        return number in self.rings[-1]

    def with_member(self, number: int, address: str) -> Membership:
        """Return the next version, in which a node can be called; it is in no ring yet."""
        return replace(self, version=self.version + 1, members={**self.members, number: address})

    def with_ring(self, numbers: Collection[int]) -> Membership:
        """Return the next version, in which these members are the homes."""
        rings = (*self.rings, tuple(sorted(numbers)))
        return replace(self, version=self.version + 1, rings=rings)

    def without_member(self, number: int) -> Membership:
        """Return the next version, in which a node that is in the last ring no more is removed."""
        members = {each: address for each, address in self.members.items() if each != number}
        return replace(self, version=self.version + 1, members=members)

    def as_text(self) -> str:
        """Return version and rings as a setting has them; the members are the peers."""
        rings = "/".join(".".join(map(str, ring)) for ring in self.rings)
        return f"{self.version}:{rings}"


def read(text: str, members: Mapping[int, str]) -> Membership:
    """Read what :meth:`Membership.as_text` wrote; without text all members are the first ring.

    Raises ``ConfigError``.
    """
    if not text:
        return Membership(1, members, (tuple(sorted(members)),))
    version, _, rings = text.partition(":")
    try:
        found = tuple(tuple(map(int, ring.split("."))) for ring in rings.split("/"))
        return Membership(int(version), members, found)
    except ValueError as error:
        raise ConfigError(f"TASKQUEUE_MEMBERSHIP={text!r}: {error}") from error


def _home(numbers: Numbers, request_id: str) -> int:
    return int(_ring(numbers).member_of(request_id))


@cache
def _ring(numbers: Numbers) -> Ring:
    return Ring(map(str, numbers))
