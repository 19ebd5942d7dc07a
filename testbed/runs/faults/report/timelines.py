"""The section with the timeline of each trial, and every fault as a table behind it."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.report.numbers import NOTHING
from testbed.report.page import Block, Chart, Section, Table
from testbed.runs.faults.figures.groups import Group
from testbed.runs.faults.figures.model import ALL, SECOND, FaultFigures, MeasuredFault
from testbed.runs.faults.report import chart as faultline
from testbed.runs.faults.report import words, written
from testbed.runs.faults.report.chart import Reach
from testbed.runs.faults.report.run import labelled, style


def section(figures: Sequence[FaultFigures]) -> Section:
    """Return the timelines, one under the other on the same axes."""
    reach = Reach.of(figures)
    blocks = []
    for index, (label, each) in enumerate(labelled(figures)):
        drawn = faultline.picture(each, label, style(figures, index), reach, f"faults-{index}")
        caption = " ".join(words.remarks(label, each))
        blocks.append(
            Block(
                f"{label}, {each.title}" if each.title else label,
                charts=[Chart(drawn, caption=caption)],
                behind=_every_fault(each),
                behind_name="Every fault as a table",
            )
        )
    intro = [
        "Calls that were answered and calls that failed in each second, and below them the jobs "
        "that were queued or running. Every fault is shaded from its begin to its healing, with a "
        "solid bar on top if it cost a process the memory in which it held jobs. All timelines "
        "have the same axes."
    ]
    return Section("timeline", "Timeline", "Over time, fault by fault", intro, blocks)


def _every_fault(figures: FaultFigures) -> Table:
    columns = (
        "Fault",
        "from, s",
        "for, s",
        "answered, %",
        "no service, s",
        "run again, s",
        "backlog before",
        "when healed",
        "drained after, s",
        "jobs lost",
    )
    rows = [_fault(number, each, figures) for number, each in enumerate(figures.faults, start=1)]
    return Table(columns, rows, frozenset(range(1, len(columns))))


def _fault(number: int, fault: MeasuredFault, figures: FaultFigures) -> tuple[str, ...]:
    group = Group(fault.name, (fault,))
    backlog = fault.backlog
    return (
        f"{number} {fault.name}",
        f"{(fault.begun_us - figures.begun_us) / SECOND:.1f}",
        f"{fault.seconds:.1f}",
        written.share(group.availability(ALL)),
        written.downtime(group.downtime(ALL)),
        written.running_again(group) if fault.recovery else "",
        f"{backlog.before:,.0f}" if backlog else NOTHING,
        f"{backlog.at_end:,}" if backlog else NOTHING,
        _drained(fault),
        f"{fault.loss.jobs:,}" if fault.loss else "",
    )


def _drained(fault: MeasuredFault) -> str:
    if fault.backlog is None:
        return NOTHING
    if fault.backlog.drain_s is None:
        return f"not in {written.seconds(fault.backlog.watched_s)}"
    return written.seconds(fault.backlog.drain_s)
