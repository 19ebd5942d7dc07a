"""The figures under faults for a terminal: the designs side by side, then what the checker says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from testbed.runs.faults.figures.model import ALL, FaultFigures
from testbed.runs.faults.report import words
from testbed.runs.faults.report.run import labels
from testbed.runs.faults.report.table import rows

VIOLATIONS_SHOWN = 5


def terminal(figures: Sequence[FaultFigures], brief: bool = False) -> RenderableType:
    """Return all figures as something that a console prints; a ``brief`` one is of no method."""
    return Group(table(figures, brief), Text(""), *notes(figures))


def table(figures: Sequence[FaultFigures], brief: bool = False) -> Table:
    """Lay the figures out, a column for each trial."""
    result = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    result.add_column("")
    result.add_column("", no_wrap=True, style="dim")
    for label in labels(figures):
        result.add_column(label, justify="right", no_wrap=True)
    group = ""
    for row in rows(figures):
        if brief and row.method not in {"", ALL}:
            continue
        if row.group != group:
            group = row.group
            result.add_row(Text(group, style="italic cyan"))
        result.add_row(f"  {row.title}", row.unit, *row.values)
    return result


def notes(figures: Sequence[FaultFigures]) -> Iterator[Text]:
    """Give the checker's word on each trial, and what limits its figures."""
    for label, each in zip(labels(figures), figures, strict=True):
        yield Text(words.checked(label, each), style="green" if each.verdict.clean else "bold red")
        for violation in each.verdict.violations[:VIOLATIONS_SHOWN]:
            yield Text(f"  {violation.rule}, {violation.subject}: {violation.text}", style="red")
        more = sum(each.verdict.found.values()) - VIOLATIONS_SHOWN
        if more > 0:
            yield Text(f"  and {more:,} more, see faults.json", style="red")
        for remark in words.remarks(label, each):
            yield Text(remark, style="dim")
