"""Serves ``LinkService``: messages to faults of links and back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from common.domain.errors import InvalidArgument
from common.gen.testbed.links.v1 import link_service_pb2 as pb
from common.gen.testbed.links.v1.link_service_pb2_grpc import LinkServiceServicer
from common.links.fault import NONE
from common.links.link import CallCounts, Link
from common.links.wire import fault_from, fault_to

logger = logging.getLogger(__name__)


class LinkServicer(LinkServiceServicer):
    """Sets, clears and shows the faults of the given links."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = {(link.caller, link.callee): link for link in links}

    async def SetLink(self, request: pb.SetLinkRequest, context: Any) -> pb.SetLinkResponse:
        """Set the fault of one link. ``INVALID_ARGUMENT`` if there is no such link or fault."""
        link = self._links.get((request.caller, request.callee))
        if link is None:
            known = ", ".join(f"{caller}>{callee}" for caller, callee in self._links)
            raise InvalidArgument(
                "callee", f"there is no link {request.caller}>{request.callee}; links: {known}"
            )
        try:
            link.set(fault_from(request.fault))
        except ValueError as error:
            raise InvalidArgument("fault", str(error)) from None
        logger.info("%s>%s: %s", link.caller, link.callee, link.fault)
        return pb.SetLinkResponse(link=_link_to(link))

    async def ClearLinks(
        self, request: pb.ClearLinksRequest, context: Any
    ) -> pb.ClearLinksResponse:
        """Take the faults of the chosen links away."""
        cleared = [
            link
            for (caller, callee), link in self._links.items()
            if link.fault and request.caller in {"", caller} and request.callee in {"", callee}
        ]
        for link in cleared:
            link.set(NONE)
            logger.info("%s>%s: no fault", link.caller, link.callee)
        return pb.ClearLinksResponse(cleared=len(cleared))

    async def GetLinks(self, request: pb.GetLinksRequest, context: Any) -> pb.GetLinksResponse:
        """Return all links."""
        return pb.GetLinksResponse(links=map(_link_to, self._links.values()))


def _link_to(link: Link) -> pb.Link:
    fault = fault_to(link.fault) if link.fault else None
    return pb.Link(
        caller=link.caller, callee=link.callee, fault=fault, counts=_counts_to(link.counts)
    )


def _counts_to(counts: CallCounts) -> pb.Counts:
    return pb.Counts(
        forwarded=counts.forwarded,
        lost_requests=counts.lost_requests,
        lost_answers=counts.lost_answers,
        delayed=counts.delayed,
        repeated=counts.repeated,
    )
