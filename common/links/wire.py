"""The messages of ``LinkService`` and faults, each way."""

from __future__ import annotations

from common.gen.testbed.links.v1 import link_service_pb2 as pb
from common.links.fault import Delay, LinkFault
from common.rpc.convert import seconds_from, seconds_to


def fault_from(message: pb.Fault) -> LinkFault:
    """Read a fault. Raises ``ValueError`` or ``InvalidArgument`` for what is out of range."""
    return LinkFault(
        message.lose_requests,
        message.lose_answers,
        _delay_from(message.delay_requests, "delay_requests"),
        _delay_from(message.delay_answers, "delay_answers"),
        message.repeat_part,
        seconds_from(message.repeat_within, "repeat_within"),
        message.seed,
    )


def fault_to(fault: LinkFault) -> pb.Fault:
    """Write a fault."""
    return pb.Fault(
        lose_requests=fault.lose_requests,
        lose_answers=fault.lose_answers,
        delay_requests=_delay_to(fault.delay_requests),
        delay_answers=_delay_to(fault.delay_answers),
        repeat_part=fault.repeat_part,
        repeat_within=seconds_to(fault.repeat_within),
        seed=fault.seed,
    )


def _delay_from(message: pb.Delay, field: str) -> Delay:
    return Delay(
        seconds_from(message.fixed, f"{field}.fixed"),
        seconds_from(message.random, f"{field}.random"),
    )


def _delay_to(delay: Delay) -> pb.Delay:
    return pb.Delay(fixed=seconds_to(delay.fixed), random=seconds_to(delay.random))
