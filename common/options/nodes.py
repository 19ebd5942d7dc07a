"""Over how many equal nodes a stack is spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from common.config import QUEUE_LIMITS, Settings
from common.options.option import Option, OptionError, Started
from common.options.values import Number
from common.process_spec import ProcessSpec
from common.stack_spec import StackSpec
from common.topology import Topology, role_of

FEWEST, MOST, DEFAULT = 4, 8, 6
# Limits of all queues together, of which each node has its share.
_TOTALS: Mapping[str, int] = {name: getattr(Settings, name) for name in QUEUE_LIMITS}


def equal_nodes(topology: Topology) -> tuple[ProcessSpec, ...]:
    """Return the processes that are equal and all called by clients; none if there is one alone."""
    found = tuple(each for each in topology.processes if each.name in topology.entries)
    alike = len({(role_of(each.name), each.module, each.slot_share) for each in found}) == 1
    return found if alike and len(found) > 1 else ()


def resized(topology: Topology, count: int) -> Topology:
    """Return the design with so many equal nodes, on ports counted on from those of the first.

    The queues of the nodes together have the limits that they had, and so have the slots, which a
    stack shares out. Raises :class:`OptionError` for a design without equal nodes.
    """
    nodes = equal_nodes(topology)
    if not nodes:
        raise OptionError(f"design {topology.design} has no equal nodes")
    if len(nodes) == count:
        return topology
    old = {each.name for each in nodes}
    names = tuple(f"{role_of(nodes[0].name)}-{number}" for number in range(count))
    made = [_node(nodes[0], number, names, old) for number in range(count)]
    begin = topology.processes.index(nodes[0])
    before = topology.processes[:begin]
    after = [each for each in topology.processes[begin:] if each.name not in old]
    return replace(
        topology,
        title=f"{count} equal nodes",
        processes=(*before, *made, *after),
        entries=names,
        defaults={name: text for name, text in topology.defaults.items() if name not in _TOTALS},
    )


def _node(first: ProcessSpec, number: int, names: tuple[str, ...], old: set[str]) -> ProcessSpec:
    """Return the node of that number, which calls whom the first one calls, itself left out."""
    others = tuple(each for each in names if each != names[number])
    beside = tuple(each for each in first.peers if each not in old)
    knows_others = bool(old.intersection(first.peers))
    return replace(
        first.moved(number),
        name=names[number],
        home=None if first.home is None else number,
        peers=(*(others if knows_others else ()), *beside),
        settings={} if first.home is None else _share(number, len(names)),
    )


def _share(number: int, count: int) -> Mapping[str, str]:
    """Return a node's part of each total; the first nodes have one more where it leaves a rest."""
    return {name: str(total // count + (number < total % count)) for name, total in _TOTALS.items()}


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    return resized(topology, int(value)), spec


OPTION = Option(
    name="nodes",
    about="over how many equal nodes a stack is spread, in a design that consists of them",
    values=Number(FEWEST, MOST, "nodes", whole=True),
    default=str(DEFAULT),
    apply=_apply,
    buys="more: one that dies takes a smaller part of the jobs along",
    costs="more: memory for each, more to ask for every list, and more calls that reach another "
    "node than the home of their job",
    facts=("fetchers",),
    shapes=True,
    designs=("b",),
)
