"""What faults did to each design: a section of a report, or several of a page of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testbed.report.page import Block, Section, Table
from testbed.runs.faults.figures.groups import Group, by_kind
from testbed.runs.faults.figures.model import (
    ALL,
    FaultFigures,
)
from testbed.runs.faults.report import errors, servers, state, timelines, words, written
from testbed.runs.faults.report import table as sides
from testbed.runs.faults.report.run import labelled, labels

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
    intro = [words.sentence(*each) for each in labelled(figures)]
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
        timelines.section(figures),
        sides_section(figures),
        state.section(figures),
        *([databases] if (databases := servers.section(figures)) else []),
        kinds_section(figures),
        errors.section(figures),
        checker_section(figures),
    ]


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


def kinds_section(figures: Figures) -> Section:
    """Return the table by kind of fault and role of its target, kinds of both sides together."""
    found = [
        (group.name, label, group)
        for label, each in labelled(figures)
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


def checker_section(figures: Figures) -> Section:
    """Return the word of the checker, and the slice of history behind each violation."""
    blocks = []
    for label, each in labelled(figures):
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
    intro = [words.checked(label, each) for label, each in labelled(figures)]
    return Section("checker", "Checker", "What the checker says", intro, blocks or [Block()])
