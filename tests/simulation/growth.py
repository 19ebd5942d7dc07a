"""A node joins, and one leaves, while clients call and whatever else goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import grpc

from common.gen.taskqueue.membership.v1 import membership_service_pb2 as pb
from common.gen.taskqueue.membership.v1.membership_service_pb2_grpc import MembershipServiceStub
from common.options.nodes import resized
from common.rpc.callers import OPERATOR
from common.rpc.metadata import CALLER
from design_b.membership import Membership, read
from design_b.wire import membership_to
from tests.simulation.network import SimulatedChannel
from tests.simulation.world import World

_TIMEOUT = 1.0


class Growth:
    """Changes who the nodes are. ``on_join`` is called with the name of one that clients may call.

    Every change reaches the nodes one after the other, in any order and with pauses between.
    """

    def __init__(self, world: World, random: Random, on_join: Callable[[str], None]) -> None:
        self._world = world
        self._random = random
        self._on_join = on_join
        numbers = range(len(world.topology.entries))
        self._membership = read("", {number: f"node-{number}" for number in numbers})
        self.left = -1
        """The node that has left the ring; -1 before."""

    async def grow_and_shrink(self, until: float) -> None:
        """Have a node join and any node leave, all of it before the virtual time ``until``."""
        await asyncio.sleep(self._random.uniform(0, until / 3))
        await self.join()
        await asyncio.sleep(self._random.uniform(0, until / 3))
        await self.leave(self._random.choice([*self._membership.members]))

    async def join(self) -> None:
        """Start a node, have all others know it, and only then give it keys."""
        number = len(self._membership.members)
        world = self._world
        world.topology = resized(world.topology, number + 1)
        world.start(f"node-{number}")
        await self._spread(self._membership.with_member(number, f"node-{number}"))
        await self._spread(self._membership.with_ring([*self._membership.members]))
        self._on_join(f"node-{number}")

    async def leave(self, number: int) -> None:
        """Take the keys of a node away; it goes on answering for its jobs."""
        self.left = number
        await self._spread(self._membership.with_ring({*self._membership.members} - {number}))

    async def remove(self) -> None:
        """End the node that has left; what it held is gone with it."""
        await self._spread(self._membership.without_member(self.left))
        self._world.kill(f"node-{self.left}")

    async def _spread(self, membership: Membership) -> None:
        self._membership = membership
        # For nodes that are started again meanwhile.
        self._world.membership = membership.as_text()
        names = [f"node-{number}" for number in membership.members]
        self._random.shuffle(names)
        for name in names:
            await asyncio.sleep(self._random.choice((0.0, 0.3, 1.5)) * self._random.random())
            while not await self._reached(name, membership):  # noqa: ASYNC110  # a call each time
                await asyncio.sleep(0.1)

    async def _reached(self, name: str, membership: Membership) -> bool:
        channel = SimulatedChannel(self._world.network, OPERATOR, name)
        stub = MembershipServiceStub(channel)  # type: ignore[no-untyped-call]
        request = pb.ExchangeMembershipRequest(membership=membership_to(membership))
        try:
            answer = await stub.ExchangeMembership(
                request, timeout=_TIMEOUT, metadata=((CALLER, OPERATOR),)
            )
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.membership.version >= membership.version)
