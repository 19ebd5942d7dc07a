"""The messages of ``MembershipService``, and how nodes call each other."""

from __future__ import annotations

from common.domain.errors import InvalidArgument
from common.domain.job import JobSpec
from common.gen.taskqueue.membership.v1 import membership_service_pb2 as pb
from common.gen.taskqueue.membership.v1.membership_service_pb2_grpc import (
    MembershipServiceStub,
)
from common.rpc import convert
from common.rpc.channel import Peer
from common.rpc.remote import RemoteTaskQueue
from design_b.membership import Membership


def membership_to(membership: Membership) -> pb.Membership:
    """Write a membership."""
    return pb.Membership(
        version=membership.version,
        members=[
            pb.Member(number=number, address=address)
            for number, address in sorted(membership.members.items())
        ],
        rings=[pb.RingOfHomes(numbers=ring) for ring in membership.rings],
    )


def membership_from(message: pb.Membership) -> Membership:
    """Read a membership. Raises ``InvalidArgument`` for one that cannot be."""
    members = {each.number: each.address for each in message.members}
    rings = tuple(tuple(ring.numbers) for ring in message.rings)
    try:
        return Membership(message.version, members, rings)
    except ValueError as error:
        raise InvalidArgument("membership", str(error)) from None


class RemoteNode(RemoteTaskQueue):
    """Calls another node."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer)
        self._membership = MembershipServiceStub(peer.channel)

    async def exchange(self, membership: Membership) -> Membership:
        """Send a membership, and return the newest that the node knows."""
        request = pb.ExchangeMembershipRequest(membership=membership_to(membership))
        response = await self._peer.call(self._membership.ExchangeMembership, request)
        return membership_from(response.membership)

    async def repeat(self, spec: JobSpec, request_id: str, membership: Membership) -> str:
        """Return the job that the node accepted under this request id, empty if it did none."""
        request = pb.RepeatSubmitRequest(
            membership=membership_to(membership),
            job=convert.spec_to(spec),
            request_id=request_id,
        )
        response = await self._peer.call(self._membership.RepeatSubmit, request)
        return response.job_id
