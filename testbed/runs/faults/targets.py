"""The targets that a design offers: its processes, and the links between them."""

from __future__ import annotations

from collections.abc import Callable

from common.process_spec import MEMORY
from common.topology import LINKS, Topology
from testbed.runs.faults.kind import IN_CLUSTER, PRIMARY, REPLICA, Target

ALL = "all"


def processes(topology: Topology) -> list[Target]:
    """Return every process, those without state first, and each role in a cluster."""
    return [*_single(topology), *_roles(topology)]


def _single(topology: Topology) -> list[Target]:
    """Return every process, those without state first; the proxy of the links is none.

    What a process holds on disk outlasts it, so only memory is state that can be lost.
    """
    found = [
        Target(each.name, (each.name,), each.holds == MEMORY)
        for each in topology.processes
        if each.name != LINKS
    ]
    return sorted(found, key=lambda each: each.stateful)


def _roles(topology: Topology) -> list[Target]:
    """Return whoever is the primary of each cluster then, and a replica, as ``redis/primary``."""
    found: dict[str, list[str]] = {}
    for each in topology.processes:
        if each.cluster:
            found.setdefault(each.cluster, []).append(each.name)
    return [
        Target(f"{cluster}{IN_CLUSTER}{role}", tuple(names))
        for cluster, names in found.items()
        for role in (PRIMARY, REPLICA)
    ]


def primaries(topology: Topology) -> list[Target]:
    """Return whoever is the primary of each cluster then."""
    return [each for each in _roles(topology) if each.name.endswith(f"{IN_CLUSTER}{PRIMARY}")]


def ours(topology: Topology) -> list[Target]:
    """Return the processes that are modules of ours."""
    return [each for each in _single(topology) if topology.process(each.name).is_ours]


def serving(*services: str) -> Callable[[Topology], list[Target]]:
    """Return what gives the processes that are one of these servers."""

    def found(topology: Topology) -> list[Target]:
        return [
            each for each in _single(topology) if topology.process(each.name).service in services
        ]

    return found


def linked(topology: Topology) -> list[Target]:
    """Return the processes that have links."""
    ends = {name for link in links(topology) for name in link}
    return [each for each in _single(topology) if each.name in ends]


def links(topology: Topology) -> list[tuple[str, str]]:
    """Return caller and callee of every link that a design has or would have."""
    return topology.calls_between_ours()


def ways(topology: Topology) -> list[Target]:
    """Return the way from each process to each that it calls, with the link that leads back.

    Nodes call each other, so between two of them there are two links.
    """
    known = set(links(topology))
    return [
        Target(name(*way), tuple(name(*each) for each in (way, way[::-1]) if each in known))
        for way in links(topology)
    ]


def pairs(topology: Topology) -> list[Target]:
    """Return each two processes of which one calls the other, once."""
    found: dict[frozenset[str], Target] = {}
    for each in ways(topology):
        found.setdefault(frozenset(ends(each.name)), each)
    return list(found.values())


def groups(topology: Topology) -> list[Target]:
    """Return each link, all links of each process, and all links of the design."""
    found = links(topology)
    single = [Target(name(*each), (name(*each),)) for each in found]
    around = [
        Target(each.name, tuple(name(*link) for link in found if each.name in link))
        for each in linked(topology)
    ]
    if not found:
        return []
    return [*single, *around, Target(ALL, tuple(name(*each) for each in found))]


def name(caller: str, callee: str) -> str:
    """Write a link."""
    return f"{caller}>{callee}"


def ends(link: str) -> tuple[str, str]:
    """Return caller and callee of a link as :func:`name` writes it."""
    caller, _, callee = link.partition(">")
    return caller, callee
