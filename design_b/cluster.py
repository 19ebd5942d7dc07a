"""A node among the others, each of which is the home of a part of the jobs."""

from __future__ import annotations

from common.cache import is_node as is_cache_node
from common.config import ConfigError
from common.gen.taskqueue.membership.v1 import (
    membership_service_pb2,
    membership_service_pb2_grpc,
)
from common.owners.jobs import JobOwner
from common.ports import Kinds, TaskQueue
from common.rpc.callers import EXCHANGE, MEMBERSHIP, NODE, OPERATOR, PUBLIC
from common.rpc.process import Process
from design_b import membership
from design_b.nodes import Nodes
from design_b.placement import PlacedTaskQueue
from design_b.servicer import MembershipServicer
from design_b.wire import RemoteNode


def join(process: Process, own: TaskQueue, jobs: JobOwner, kinds: Kinds) -> TaskQueue:
    """Return the task queue over all nodes, ``own`` and those of the settings.

    Raises ``ConfigError`` for a name that is no node's, and for a membership that cannot be.
    """
    settings = process.settings
    number = number_of(settings.name)
    peers = {
        number_of(name): address
        for name, address in settings.peers.items()
        if not is_cache_node(name)
    }

    def connect(other: int, address: str) -> RemoteNode:
        return RemoteNode(process.connect_at(f"node-{other}", address, NODE))

    nodes = Nodes(number, membership.read(settings.membership, {number: "", **peers}), connect)
    queue = PlacedTaskQueue(own, nodes, jobs.knows_request, process.background)
    if peers:
        process.admit(NODE, PUBLIC | MEMBERSHIP)
        process.admit(OPERATOR, EXCHANGE)
        process.serve(
            membership_service_pb2.DESCRIPTOR.services_by_name["MembershipService"],
            membership_service_pb2_grpc.add_MembershipServiceServicer_to_server,
            MembershipServicer(nodes, queue, jobs, kinds),
        )
    return queue


def number_of(name: str) -> int:
    """Return the number in a node's name. Raises ``ConfigError`` for a name without one."""
    prefix, _, number = name.rpartition("-")
    if prefix != "node" or not number.isdecimal():
        raise ConfigError(f"a node is called node-NUMBER, not {name!r}")
    return int(number)
