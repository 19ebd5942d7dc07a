"""Adds a node to a stack of equal nodes that is up, and takes one away, while it is called.

The nodes learn of it by ``MembershipService``. Before each step the record of every process is
written so that one that is started again knows of it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from common.config import PREFIX
from testbed.errors import TestbedError
from testbed.stack import lock
from testbed.stack import records as stacks
from testbed.stack.observability import targets
from testbed.stack.ports import HOST
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes import Progress
from testbed.stack.runtimes.local import membership, nodes
from testbed.stack.sides.side import Side


def grow(design: str, progress: Progress) -> StackRecord:
    """Start one node more and have it take its part of new jobs; return the record with it.

    Raises :class:`TestbedError` for a stack that cannot, and if a node does not answer.
    """
    with lock.held(design, "scale"):
        record = _growing(design)
        newest = membership.newest(record)
        old = [
            each for each in nodes.nodes_of(record) if nodes.address_of(each) in record.endpoints
        ]
        # One that an earlier attempt has started, or that has not left yet.
        started = [each for each in nodes.nodes_of(record) if each not in old][:1]
        if not started:
            new = nodes.started(record, old, progress)
            measured = f"{HOST}:{nodes.last_metrics_port(record, old) + 1}"
            record = replace(
                record,
                processes=(*record.processes, new),
                metrics={**record.metrics, new.name: measured},
            )
            started = [new]
        grown = [*old, *started]
        newest = membership.next_after(newest, grown, list(newest.rings))
        progress(f"all nodes learn of {grown[-1].name}")
        record = membership.spread(record, newest, grown)
        newest = membership.next_after(newest, grown, [*newest.rings, membership.ring_of(grown)])
        progress(f"{grown[-1].name} takes its part of the request ids")
        record = membership.spread(record, newest, grown)
        return _announced(record, grown)


def shrink(design: str, discard: bool, progress: Progress) -> StackRecord:
    """Take the last node away; return the record without it.

    It has new jobs accepted elsewhere and goes on answering until all of its jobs have ended and
    have been forgotten; with ``discard`` as soon as they have ended. If that is interrupted it
    stays as it is then, and the next one goes on. Raises :class:`TestbedError`.
    """
    with lock.held(design, "scale"):
        record = _growing(design)
        if record.processes != (stacks.load(design) or record).processes:
            # It was interrupted when the node had left and ended.
            return _announced(record, nodes.nodes_of(record))
        if not discard and not float(record.settings.get("retention", 0)):
            raise TestbedError(
                f"the finished jobs of design {design} are kept for ever (retention is 0), so a "
                "node never becomes empty",
                "--discard gives up those of the node with their results; +retention=60 at the "
                "start lets them expire",
            )
        old, newest = nodes.nodes_of(record), membership.newest(record)
        left, leaving = old[:-1], old[-1]
        # First of all, so that whoever has a node join instead finds that this one has to.
        record = replace(record, endpoints=tuple(nodes.address_of(each) for each in left))
        stacks.save(record)
        if nodes.number_of(leaving) in newest.rings[-1].numbers:
            newest = membership.next_after(newest, old, [*newest.rings, membership.ring_of(left)])
            progress(f"{leaving.name} takes no more jobs")
            record = membership.spread(record, newest, old)
        membership.wait_until_empty(record, leaving, discard, progress)
        newest = membership.next_after(newest, left, list(newest.rings))
        record = membership.spread(record, newest, left)
        nodes.end(record, leaving)
        return _announced(nodes.without(record, leaving), left)


def _growing(design: str) -> StackRecord:
    """Return the record of a stack that can grow. Raises :class:`TestbedError`."""
    record = stacks.load(design)
    if record is None or not record.ready:
        raise TestbedError(f"design {design} is not up", f"start it: testbed up {design}")
    if not nodes.nodes_of(record):
        raise TestbedError(f"design {design} has no equal nodes, so it cannot be scaled")
    if record.settings.get("store", "memory") != "memory":
        raise TestbedError(
            "the nodes share a store and know nothing of each other",
            f"start it with as many as you want: testbed up {record.side}+nodes=8",
        )
    if record.runtime != "local":
        raise TestbedError(
            f"a stack that is up can be scaled as local processes, and this one runs in "
            f"{record.runtime}",
            "start it with as many nodes as you want: +nodes=8",
        )
    if record.links is not None:
        raise TestbedError(
            "a stack with links cannot be scaled: its proxy has no port for a new node",
            f"start it without: testbed down {design}, then testbed up {design}",
        )
    record = _without_ended(record)
    if dead := {each.name for each in record.processes} - {each.name for each in record.alive()}:
        raise TestbedError(
            f"every node has to learn of the change, and dead are: {', '.join(sorted(dead))}",
            f"`testbed fault heal {design}` starts them again",
        )
    return record


def _without_ended(record: StackRecord) -> StackRecord:
    """Return the record without the last node if that is none any more, and has ended.

    A command that was interrupted has not come to write it down.
    """
    last = nodes.nodes_of(record)[-1]
    if nodes.address_of(last) in record.endpoints or last.process() is not None:
        return record
    left = nodes.without(record, last)
    members = {each.number for each in membership.newest(left).members}
    return record if nodes.number_of(last) in members else left


def _announced(record: StackRecord, grown: Sequence[ProcessRecord]) -> StackRecord:
    """Save what the stack is now, for clients, Prometheus and whoever names it by its side."""
    slots = len(grown) * int(grown[0].environment[f"{PREFIX}SLOTS"])
    side = Side.parse(record.side)
    options = {**side.options, "nodes": str(len(grown)), "slots": str(slots)}
    record = replace(
        record,
        endpoints=tuple(nodes.address_of(each) for each in grown),
        slots=slots,
        side=str(replace(side, options=options)),
    )
    stacks.save(record)
    targets.write_stack(record)
    return record
