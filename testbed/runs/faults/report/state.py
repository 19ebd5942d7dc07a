"""The section on what was lost with the memory of processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from testbed.report.page import Block, Section, Table
from testbed.runs.faults.figures.groups import Group, Spread, by_role
from testbed.runs.faults.figures.model import ALL, FaultFigures, StateLoss
from testbed.runs.faults.report import written
from testbed.runs.faults.report.run import labelled


def section(figures: Sequence[FaultFigures]) -> Section:
    """Return what went with the memory of processes: one of six nodes against the job service."""
    rows = [
        row
        for label, each in labelled(figures)
        for group in by_role(each.faults)
        if any(fault.loss for fault in group.faults)
        for row in _losses(label, group)
    ]
    columns = (
        "What lost its memory",
        "times",
        "jobs accepted before",
        "jobs lost",
        "of those accepted, %",
        "results lost",
        "calls answered, %",
        "no service, s",
    )
    if not rows:
        text = ["No fault of this run cost a process its memory."]
        return Section("state", "Lost state", "What goes with a process", text, [Block()])
    table = Table(columns, rows, frozenset(range(1, len(columns))))
    intro = [
        "State is in memory by decision, so it goes with its process. How much that is, and how "
        "the rest goes on meanwhile, depends on how a design shares its state out."
    ]
    notes = [
        "A lost job is counted with the fault that took it, the first after the last answer that "
        "showed it. Calls are those that met the fault; “no such job” is an answer."
    ]
    return Section(
        "state",
        "Lost state",
        "What goes with a process",
        intro,
        [Block(table=table, wide=True)],
        notes,
    )


def _losses(label: str, group: Group) -> Iterator[tuple[str, ...]]:
    group = Group(group.name, tuple(fault for fault in group.faults if fault.loss))
    losses = [fault.loss for fault in group.faults if fault.loss]
    yield (
        f"{label} {group.name}",
        f"{len(losses):,}",
        _count(losses, lambda loss: loss.accepted_before),
        _count(losses, lambda loss: loss.jobs),
        _shares(losses),
        _count(losses, lambda loss: loss.results),
        written.share(group.availability(ALL)),
        written.downtime(group.downtime(ALL)),
    )


def _shares(losses: Sequence[StateLoss]) -> str:
    found = Spread.of(loss.share * 100 for loss in losses if loss.share is not None)
    return written.spread(found)


def _count(losses: Sequence[StateLoss], of: Callable[[StateLoss], int]) -> str:
    return written.spread(Spread.of(map(of, losses)), True)
