"""Serves ``MembershipService``: what a node knows of the others, and what it accepted as a home."""

from __future__ import annotations

from typing import Any

from common.domain.job import JobState
from common.flows.public import check_submission
from common.gen.taskqueue.membership.v1 import membership_service_pb2 as pb
from common.gen.taskqueue.membership.v1.membership_service_pb2_grpc import (
    MembershipServiceServicer,
)
from common.ports import JobCounts, Kinds
from common.rpc import convert
from design_b.nodes import Nodes
from design_b.placement import PlacedTaskQueue
from design_b.wire import membership_from, membership_to


class MembershipServicer(MembershipServiceServicer):
    """Serves what a node knows of the others; ``counts`` are of its own jobs."""

    def __init__(
        self, nodes: Nodes, queue: PlacedTaskQueue, counts: JobCounts, kinds: Kinds
    ) -> None:
        self._nodes = nodes
        self._queue = queue
        self._counts = counts
        self._kinds = kinds

    async def ExchangeMembership(
        self, request: pb.ExchangeMembershipRequest, context: Any
    ) -> pb.ExchangeMembershipResponse:
        """Take over a newer membership, and return the newest."""
        if request.HasField("membership"):
            self._nodes.adopt(membership_from(request.membership))
        held = self._counts.counts()
        return pb.ExchangeMembershipResponse(
            membership=membership_to(self._nodes.membership),
            unfinished_jobs=held[JobState.QUEUED] + held[JobState.RUNNING],
            held_jobs=sum(held.values()),
        )

    async def RepeatSubmit(
        self, request: pb.RepeatSubmitRequest, context: Any
    ) -> pb.RepeatSubmitResponse:
        """Answer for what was accepted here under a request id."""
        spec = convert.spec_from(request.job)
        check_submission(spec, request.request_id, self._kinds)
        membership = membership_from(request.membership)
        job_id = await self._queue.repeat(spec, request.request_id, membership)
        return pb.RepeatSubmitResponse(job_id=job_id)
