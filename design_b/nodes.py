"""The nodes that this one knows: the newest membership, and a connection to each member."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from common.domain.errors import InvalidArgument
from common.domain.job import JobSpec
from common.ports import TaskQueue
from design_b.membership import Membership

logger = logging.getLogger(__name__)


class OtherNode(TaskQueue, Protocol):
    """Another node, as this one calls it."""

    async def exchange(self, membership: Membership) -> Membership:
        """Tell it a membership, and return the newest that it knows."""
        ...

    async def repeat(self, spec: JobSpec, request_id: str, membership: Membership) -> str:
        """Return the job that it accepted under this request id, empty if it accepted none.

        From then on it accepts none. Raises ``NotHome`` if it knows a newer membership.
        """
        ...


Connect = Callable[[int, str], OtherNode]


class Nodes:
    """The members of the newest membership. ``connect`` makes a connection to number and address.

    ``membership`` is replaced and never changed, so whoever reads it once has one that is whole.
    """

    def __init__(self, number: int, membership: Membership, connect: Connect) -> None:
        self.number = number
        self.membership = membership
        self._connect = connect
        self._others = {
            each: connect(each, address)
            for each, address in membership.members.items()
            if each != number
        }
        self._turn = itertools.count(number)

    @property
    def others(self) -> Mapping[int, OtherNode]:
        """The other members by number."""
        return self._others

    @property
    def is_home(self) -> bool:
        """Whether this node is in the ring; while it leaves it is not."""
        return self.membership.takes_jobs(self.number)

    def another_home(self) -> int:
        """Return the number of a node in the ring, another one each time."""
        ring = self.membership.rings[-1]
        return ring[next(self._turn) % len(ring)]

    def adopt(self, found: Membership) -> None:
        """Take over a membership if it is newer.

        Where a member is reached stays as it is known here, for that may be another way than that
        of others. Raises ``InvalidArgument`` for a new member without an address.
        """
        if found.version <= self.membership.version:
            return
        known = self.membership.members
        members = {each: known.get(each) or address for each, address in found.members.items()}
        for each, address in members.items():
            if not address and each != self.number:
                raise InvalidArgument("membership.members", f"node {each} has no address")
        self._others = {
            each: self._others.get(each) or self._connect(each, address)
            for each, address in members.items()
            if each != self.number
        }
        self.membership = replace(found, members=members)
        logger.info("membership %s of nodes %s", self.membership.as_text(), sorted(members))

    async def exchange(self, number: int) -> None:
        """Exchange memberships with another node; both know the newer one then."""
        if (node := self._others.get(number)) is not None:
            self.adopt(await node.exchange(self.membership))


class Turns:
    """Lets one at a time at each request id."""

    def __init__(self) -> None:
        self._waiting: dict[str, int] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def of(self, request_id: str) -> AsyncIterator[None]:
        """Wait for the turn at a request id, and have it until the block ends."""
        lock = self._locks.setdefault(request_id, asyncio.Lock())
        self._waiting[request_id] = self._waiting.get(request_id, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._waiting[request_id] -= 1
            if not self._waiting[request_id]:
                del self._waiting[request_id], self._locks[request_id]
