"""What faults did to each design: a section of a report, or several of a page of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from testbed.report.numbers import NOTHING
from testbed.report.page import Block, Chart, Section, Table
from testbed.runs.faults.figures.groups import Group, Spread, by_kind, by_role
from testbed.runs.faults.figures.model import (
    ALL,
    SECOND,
    ErrorKind,
    FaultFigures,
    MeasuredFault,
    StateLoss,
)
from testbed.runs.faults.report import chart as faultline
from testbed.runs.faults.report import table as sides
from testbed.runs.faults.report import words, written
from testbed.runs.faults.report.chart import Reach
from testbed.runs.faults.report.run import labels

Figures = Sequence[FaultFigures]

NO_SERVICE = (
    "No service is time in which calls of a method were made and none was answered; a refusal "
    "such as “not finished yet” is an answer. It is written as the sum over all faults and the "
    "longest stretch, counted from the begin of a fault to that of the next; what fewer than three "
    "calls speak for stands in brackets with a question mark."
)
SPREAD = (
    "Several values are written as their median with the range in brackets, one or two as they "
    "are. They are what was seen in this run; nothing here says by how much another would differ."
)


def section(figures: Figures) -> Section:
    """Return everything as one section of a report."""
    parts = sections(figures)
    intro = [words.sentence(*each) for each in _labelled(figures)]
    blocks = [block for part in parts for block in _under_title(part)]
    notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    return Section("faults", "Under faults", "Measured under faults", intro, blocks, notes)


def _under_title(part: Section) -> Iterator[Block]:
    """Give the blocks of a section with its title over the first of them."""
    first, *rest = part.blocks
    heading = f"{part.title}: {first.heading}" if first.heading else part.title
    yield Block(
        heading,
        (*part.intro, *first.text),
        first.legend,
        first.charts,
        first.behind,
        first.behind_name,
        first.table,
        first.ratios,
        first.wide,
    )
    yield from rest


def sections(figures: Figures) -> list[Section]:
    """Return the parts as sections of their own."""
    return [
        timeline_section(figures),
        sides_section(figures),
        state_section(figures),
        kinds_section(figures),
        errors_section(figures),
        checker_section(figures),
    ]


def _labelled(figures: Figures) -> list[tuple[str, FaultFigures]]:
    return list(zip(labels(figures), figures, strict=True))


def style(figures: Figures, index: int) -> int:
    """Return the style of a trial: that of its design, the first plain, any other the second."""
    designs = list(dict.fromkeys(each.design for each in figures))
    return min(designs.index(figures[index].design), 1)


def timeline_section(figures: Figures) -> Section:
    """Return the timelines, one under the other on the same axes."""
    reach = Reach.of(figures)
    blocks = []
    for index, (label, each) in enumerate(_labelled(figures)):
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


def sides_section(figures: Figures) -> Section:
    """Return the figures side by side: of jobs, then of the methods under each sort of fault."""
    groups: dict[str, list[sides.FigureRow]] = {}
    for row in sides.rows(figures):
        groups.setdefault(row.group, []).append(row)
    names = labels(figures)
    blocks = []
    for group, rows in groups.items():
        heading = group[0].upper() + group[1:]
        plain = [row for row in rows if not row.method]
        if plain:
            lines = [(row.label, *row.values, row.unit) for row in plain]
            numeric = frozenset(range(1, len(names) + 1))
            blocks.append(Block(heading, table=Table(("", *names, ""), lines, numeric)))
        if methods := [row for row in rows if row.method]:
            heading = "" if plain else heading
            blocks.append(Block(heading, table=_by_method(methods, names)))
    intro = [
        "Faults that cost a process its memory stand apart from those that do not: state is in "
        "memory by decision, so the first have to lose jobs, and the second may not."
    ]
    notes = [NO_SERVICE, SPREAD]
    return Section("sides", "Side by side", "Side by side", intro, blocks, notes)


def _by_method(rows: Sequence[sides.FigureRow], names: Sequence[str]) -> Table:
    """Give each method a row, and each of its figures a column for every trial."""
    titles = list(dict.fromkeys((row.label, row.unit) for row in rows))
    columns = [f"{name}: {label.split(',')[0]}, {unit}" for label, unit in titles for name in names]
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.method, []).extend(row.values)
    lines = [(method, *values) for method, values in found.items()]
    return Table(("Method", *columns), lines, frozenset(range(1, len(columns) + 1)))


def state_section(figures: Figures) -> Section:
    """Return what went with the memory of processes: one of six nodes against the job service."""
    rows = [
        row
        for label, each in _labelled(figures)
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


def kinds_section(figures: Figures) -> Section:
    """Return the table by kind of fault and role of its target, kinds of both sides together."""
    found = [
        (group.name, label, group)
        for label, each in _labelled(figures)
        for group in by_kind(each.faults)
    ]
    found.sort(key=lambda each: (each[0].split()[0], each[1], each[0]))
    columns = (
        "Fault",
        "times",
        "answered, %",
        "no service, s",
        "jobs run again after, s",
        "backlog when healed",
        "drained after, s",
    )
    rows = [(f"{label} {name}", *_kind(group)) for name, label, group in found]
    table = Table(columns, rows, frozenset(range(1, len(columns))))
    intro = [
        "The same figures for each kind of fault and sort of target, over all methods together. "
        "Targets of one sort are taken together, such as all nodes."
    ]
    return Section(
        "kinds", "By kind", "By kind of fault", intro, [Block(table=table, wide=True)], [SPREAD]
    )


def _kind(group: Group) -> tuple[str, ...]:
    return (
        f"{len(group.faults):,}",
        written.share(group.availability(ALL)),
        written.downtime(group.downtime(ALL)),
        written.running_again(group) if group.held() else "",
        written.spread(group.at_end(), True),
        written.drained(group),
    )


def errors_section(figures: Figures) -> Section:
    """Return in which ways calls ended without the answer that was asked for."""
    names = labels(figures)
    columns = ["Call", "ended", "outcome"]
    columns += [f"{label} {when}" for label in names for when in ("during", "outside")]
    numeric = frozenset(range(3, len(columns)))
    blocks = []
    for is_answer, heading in ((False, "Errors"), (True, "Answers of a service that works")):
        rows = _errors(figures, is_answer)
        if rows:
            blocks.append(Block(heading, table=Table(columns, rows, numeric), wide=True))
    intro = ["How calls ended that met a fault (during), and how others did (outside)."]
    if not blocks:
        intro = ["Every call was answered as it asked."]
    notes = [
        "Definite: certainly without effect. Indefinite: it may have had its effect, which is why "
        "such a submit may have made a job that the checker counts as recovered."
    ]
    return Section(
        "errors", "Errors", "Kinds of error", intro, blocks or [Block()], notes if blocks else ()
    )


def _errors(figures: Figures, is_answer: bool) -> list[tuple[str, ...]]:
    def key(each: ErrorKind) -> tuple[str, str, bool]:
        return each.method, f"{each.code} {each.reason}".strip(), each.definite

    found = [
        {key(each): each for each in one.errors if each.is_answer is is_answer} for one in figures
    ]
    rows = []
    for method, ended, definite in sorted({name for each in found for name in each}):
        name = (method, ended, definite)
        counts = [
            f"{value:,}" if value else NOTHING
            for each in found
            for value in ((each[name].during, each[name].outside) if name in each else (0, 0))
        ]
        rows.append((method, ended, "definite" if definite else "indefinite", *counts))
    return rows


def checker_section(figures: Figures) -> Section:
    """Return the word of the checker, and the slice of history behind each violation."""
    blocks = []
    for label, each in _labelled(figures):
        for violation in each.verdict.violations:
            rows = words.evidence(violation, each.begun_us)
            blocks.append(
                Block(
                    f"{label}: {violation.rule}, {violation.subject}",
                    [violation.text],
                    table=Table(("when", "who", "what", "what came of it"), rows),
                    wide=True,
                )
            )
    intro = [words.checked(label, each) for label, each in _labelled(figures)]
    return Section("checker", "Checker", "What the checker says", intro, blocks or [Block()])
