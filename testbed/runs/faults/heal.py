"""Heals a whole stack, whatever has been done to it and by whom."""

from __future__ import annotations

from collections.abc import Iterator

from common import options
from common.stack_spec import StackSpec
from common.topology import Topology, role_of
from testbed.runs.faults import registry
from testbed.runs.faults.kind import Target
from testbed.stack import designs
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.controls import Controls
from testbed.stack.sides import revisions
from testbed.stack.sides.side import Side


def heal_all(controls: Controls) -> Iterator[str]:
    """Heal all faults of a stack; yield what was done, piece by piece.

    The faults are read from the stack itself, so nobody needs to have noted them. Raises
    :class:`testbed.errors.TestbedError` for what cannot be healed.
    """
    record = controls.record
    names = [each.name for each in record.measured]
    # What is frozen cannot answer, so that comes first.
    for name in names:
        if controls.resume(name):
            yield f"{name} goes on"
    if cleared := controls.clear_links():
        yield f"{cleared} links carry everything again"
    for name in names:
        if controls.rejoin(name):
            yield f"{name} is on the network again"
    # What starts may wait for a server that is not well.
    yield from _servers(controls, record)
    for each in record.measured:
        if record.clock and each.is_ours:
            controls.set_clock(each.name, 0)
        if controls.start(each.name):
            yield f"{each.name} is started and serves"


def _servers(controls: Controls, record: StackRecord) -> Iterator[str]:
    """Heal the faults that only some servers can have."""
    for each in record.measured:
        for kind in registry.load().values():
            target = Target(each.name, (each.name,))
            if each.service in kind.services and kind.remains(controls, target):
                kind.heal(controls, target)
                yield f"{each.name} is rid of {kind.name}"


def topology_of(record: StackRecord) -> Topology:
    """Return the topology that a stack was started from, with what its options add.

    Its workers are counted, as their number need not be said by its side.
    """
    if record.revision:
        revision = revisions.find(record.revision, silent, local=False)
        topology, _ = revisions.describe(revision, record.design)
    else:
        topology = designs.load(record.design)
    spec = StackSpec()
    given = Side.parse(record.side or record.design).options
    for option in options.in_order(given):
        topology, spec = option.apply(topology, spec, given[option.name])
    scalable = {each.name for each in topology.processes if each.scalable}
    workers = sum(role_of(each.name) in scalable for each in record.processes)
    return topology.scaled(max(1, workers))
