"""Sets the faults of the links of a stack, over ``LinkService``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc

from common.gen.testbed.links.v1 import link_service_pb2 as pb
from common.gen.testbed.links.v1.link_service_pb2_grpc import LinkServiceStub
from common.links.fault import LinkFault
from common.links.wire import fault_to
from common.rpc import connect
from testbed.errors import TestbedError
from testbed.stack.ports import HOST
from testbed.stack.records import StackRecord

T = TypeVar("T")

_TIMEOUT = 10.0


@dataclass(frozen=True)
class Links:
    """The links of a stack whose proxy serves at ``address``, ``host:port``."""

    address: str

    @classmethod
    def of(cls, record: StackRecord) -> Links:
        """Return those of a stack. Raises :class:`TestbedError` if it has none."""
        if record.links is None:
            raise TestbedError(
                f"design {record.design} runs without links, so its calls cannot be broken",
                f"start it with them: testbed down {record.design}, then "
                f"testbed up {record.design} --links",
            )
        return cls(f"{HOST}:{record.links.port}")

    def set(self, caller: str, callee: str, fault: LinkFault) -> None:
        """Set the fault of a link. Raises :class:`TestbedError`, also for an unknown link."""
        request = pb.SetLinkRequest(caller=caller, callee=callee, fault=fault_to(fault))
        self._ask(lambda stub: stub.SetLink(request, timeout=_TIMEOUT, wait_for_ready=True))

    def clear(self, caller: str = "", callee: str = "") -> int:
        """Clear the faults of a caller and to a callee, of all if none is named; count them."""
        request = pb.ClearLinksRequest(caller=caller, callee=callee)
        answer = self._ask(
            lambda stub: stub.ClearLinks(request, timeout=_TIMEOUT, wait_for_ready=True)
        )
        return answer.cleared

    def all(self) -> Sequence[pb.Link]:
        """Return all links as they are now."""
        request = pb.GetLinksRequest()
        answer = self._ask(
            lambda stub: stub.GetLinks(request, timeout=_TIMEOUT, wait_for_ready=True)
        )
        return answer.links

    def isolate(self, name: str) -> None:
        """Lose all that the calls of a process and those to it carry, in both directions."""
        for link in self.all():
            if name in {link.caller, link.callee}:
                self.set(link.caller, link.callee, LinkFault(lose_requests=True, lose_answers=True))

    def rejoin(self, name: str) -> int:
        """Clear all faults of the calls of a process and of those to it; count them."""
        return self.clear(caller=name) + self.clear(callee=name)

    def _ask(self, question: Callable[[LinkServiceStub], T]) -> T:
        with connect.channel(self.address) as channel:
            try:
                return question(LinkServiceStub(channel))
            except grpc.RpcError as error:
                raise TestbedError(
                    f"the proxy of the links at {self.address} says {error.code().name}: "
                    f"{error.details()}",
                    "`testbed status` shows whether it runs",
                ) from error
