"""Has the nodes of a stack that is up know which of them there are, and which take new jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import grpc

from common.config import environment_of
from common.gen.taskqueue.membership.v1 import membership_service_pb2 as pb
from common.gen.taskqueue.membership.v1.membership_service_pb2_grpc import MembershipServiceStub
from common.rpc import connect
from common.rpc.callers import OPERATOR
from common.rpc.metadata import CALLER, PROOF
from testbed.errors import TestbedError
from testbed.stack import records as stacks
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes import Progress
from testbed.stack.runtimes.local import nodes

_TIMEOUT = 5.0
_POLL = 0.5


def wait_until_empty(
    record: StackRecord, leaving: ProcessRecord, discard: bool, progress: Progress
) -> None:
    """Return once a node answers for no job, with ``discard`` once it has none to finish."""
    while True:
        answer = _exchange(record, leaving, None)
        left = answer.unfinished_jobs if discard else answer.held_jobs
        if not left:
            return
        progress(
            f"{leaving.name} has {answer.unfinished_jobs:,} jobs to finish and answers for "
            f"{answer.held_jobs:,}"
        )
        time.sleep(_POLL)


def newest(record: StackRecord) -> pb.Membership:
    """Return the membership that is known to any node and is the newest."""
    answers = [_exchange(record, each, None).membership for each in nodes.nodes_of(record)]
    return max(answers, key=lambda each: each.version)


def next_after(
    now: pb.Membership, members: Sequence[ProcessRecord], rings: Sequence[pb.RingOfHomes]
) -> pb.Membership:
    """Return the membership that follows one."""
    made = [
        pb.Member(number=nodes.number_of(each), address=nodes.address_of(each)) for each in members
    ]
    return pb.Membership(version=now.version + 1, members=made, rings=rings)


def ring_of(members: Sequence[ProcessRecord]) -> pb.RingOfHomes:
    """Return the ring on which these nodes share out the request ids."""
    return pb.RingOfHomes(numbers=[nodes.number_of(each) for each in members])


def spread(
    record: StackRecord, membership: pb.Membership, members: Sequence[ProcessRecord]
) -> StackRecord:
    """Have all nodes know a membership, also those that are started again; return the record."""
    rings = "/".join(".".join(map(str, ring.numbers)) for ring in membership.rings)
    text = f"{membership.version}:{rings}"
    names = {each.name for each in members}

    def knowing(each: ProcessRecord) -> ProcessRecord:
        peers = nodes.peers_of(each, members)
        known = environment_of({"peers": peers, "membership": text})
        return replace(each, calls=nodes.names_in(peers), environment={**each.environment, **known})

    changed = tuple(knowing(each) if each.name in names else each for each in record.processes)
    record = replace(record, processes=changed)
    stacks.save(record)
    for each in members:
        _exchange(record, each, membership)
    return record


def _exchange(
    record: StackRecord, node: ProcessRecord, membership: pb.Membership | None
) -> pb.ExchangeMembershipResponse:
    secret = stacks.secret_file(record.design).read_text(encoding="ascii").strip()
    request = pb.ExchangeMembershipRequest(membership=membership)
    who = ((CALLER, OPERATOR), (PROOF, secret))
    with connect.channel(nodes.address_of(node)) as channel:
        ask: Callable[..., pb.ExchangeMembershipResponse] = MembershipServiceStub(
            channel
        ).ExchangeMembership
        try:
            return ask(request, timeout=_TIMEOUT, metadata=who, wait_for_ready=True)
        except grpc.RpcError as error:
            raise TestbedError(
                f"{node.name} does not take part in the change: {error.code().name}: "
                f"{error.details()}",
                "`testbed status` shows how it is; the same command goes on where this one ended",
            ) from error
