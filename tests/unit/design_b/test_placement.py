"""What a node does with submits while it learns that others have joined or left."""

from __future__ import annotations

import asyncio

import pytest

from common.domain.errors import InvalidArgument, NotHome
from common.domain.job import JobSpec
from common.flows.background import Background
from design_b.membership import Membership, read
from design_b.nodes import Nodes
from design_b.placement import PlacedTaskQueue

SPEC = JobSpec("noop", b"")
OLD = read("", {0: "host:0", 1: "host:1"})
NEW = OLD.with_member(2, "host:2").with_ring([0, 1, 2])
NEWER = NEW.with_ring([0, 1])
# At home at node 0 first, and at node 2 once that has joined.
MOVES = next(
    each
    for each in map(str, range(1000))
    if OLD.home_of(each) == 0 and NEW.home_of(each) == 2 and NEWER.home_of(each) == 0
)


class Own:
    """The jobs of a node; a submit waits for ``go``."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.begun = asyncio.Event()
        self.known: set[str] = set()

    async def submit(self, spec: JobSpec, request_id: str = "") -> str:
        self.begun.set()
        await self.go.wait()
        self.known.add(request_id)
        return f"job of {request_id}"


class Node:
    """A node whose connections lead straight to the other nodes in ``network``."""

    def __init__(self, number: int, membership: Membership, network: dict[int, Node]) -> None:
        self.own = Own()
        self.nodes = Nodes(number, membership, lambda other, _: _Way(network, other))  # type: ignore[arg-type, return-value]
        self.queue = PlacedTaskQueue(
            self.own,  # type: ignore[arg-type]
            self.nodes,
            self.own.known.__contains__,
            Background(),
        )
        network[number] = self


class _Way:
    def __init__(self, network: dict[int, Node], other: int) -> None:
        self._network = network
        self._other = other

    async def submit(self, spec: JobSpec, request_id: str = "") -> str:
        return await self._network[self._other].queue.submit(spec, request_id)

    async def repeat(self, spec: JobSpec, request_id: str, membership: Membership) -> str:
        return await self._network[self._other].queue.repeat(spec, request_id, membership)

    async def exchange(self, membership: Membership) -> Membership:
        node = self._network[self._other].nodes
        node.adopt(membership)
        return node.membership


def two_that_disagree() -> tuple[Node, Node]:
    """Return node 0, which does not know yet of node 2, and node 2."""
    network: dict[int, Node] = {}
    old, new = Node(0, OLD, network), Node(2, NEW, network)
    return old, new


async def test_a_new_home_answers_with_the_job_of_the_earlier_one() -> None:
    old, new = two_that_disagree()
    job_id = await old.queue.submit(SPEC, MOVES)
    assert await new.queue.submit(SPEC, MOVES) == job_id
    assert not new.own.known


async def test_an_earlier_home_accepts_no_job_once_it_was_asked() -> None:
    old, new = two_that_disagree()
    await new.queue.submit(SPEC, MOVES)
    assert old.nodes.membership.version == NEW.version
    await old.queue.submit(SPEC, MOVES)
    assert (old.own.known, new.own.known) == (set(), {MOVES})


async def test_a_new_home_waits_for_what_the_earlier_one_is_about_to_accept() -> None:
    old, new = two_that_disagree()
    old.own.go.clear()
    first = asyncio.create_task(old.queue.submit(SPEC, MOVES))
    await old.own.begun.wait()
    second = asyncio.create_task(new.queue.submit(SPEC, MOVES))
    await asyncio.sleep(0)
    assert not new.own.begun.is_set()
    old.own.go.set()
    assert await first == await second
    assert not new.own.known


async def test_it_waits_also_if_the_client_of_the_earlier_one_has_left() -> None:
    old, new = two_that_disagree()
    old.own.go.clear()
    first = asyncio.create_task(old.queue.submit(SPEC, MOVES))
    await old.own.begun.wait()
    first.cancel()
    second = asyncio.create_task(new.queue.submit(SPEC, MOVES))
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not new.own.begun.is_set()
    old.own.go.set()
    await second
    assert (old.own.known, new.own.known) == ({MOVES}, set())


async def test_who_is_asked_by_an_outdated_home_refuses_and_both_learn_of_it() -> None:
    old, new = two_that_disagree()
    old.nodes.adopt(NEWER)
    with pytest.raises(NotHome):
        await old.queue.repeat(SPEC, MOVES, NEW)
    # The node that takes itself for the home learns that it is none, and forwards.
    await new.queue.submit(SPEC, MOVES)
    assert new.nodes.membership.version == NEWER.version
    assert (old.own.known, new.own.known) == ({MOVES}, set())


async def test_a_node_that_leaves_has_new_jobs_accepted_elsewhere() -> None:
    old, new = two_that_disagree()
    new.nodes.adopt(NEWER.with_ring([0]))
    await new.queue.submit(SPEC)
    assert old.own.begun.is_set()
    assert not new.own.begun.is_set()


async def test_an_older_membership_is_not_taken_over() -> None:
    _, new = two_that_disagree()
    new.nodes.adopt(OLD)
    assert new.nodes.membership == NEW


async def test_a_way_to_a_member_that_is_known_stays_and_a_new_one_needs_an_address() -> None:
    old, _ = two_that_disagree()
    old.nodes.adopt(NEW.with_member(1, "elsewhere:1"))
    assert old.nodes.membership.members[1] == "host:1"
    with pytest.raises(InvalidArgument, match="node 7"):
        old.nodes.adopt(NEWER.with_member(7, "").with_ring([0, 7]))
