"""The section of what the sides say of themselves: what is declared to differ, what is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testbed.drive.facts import DECLARED, UNDECLARED, Fact
from testbed.report.numbers import NOTHING
from testbed.report.page import Block, Section, Table
from testbed.runs.compare.report.facts import lines, of_cell
from testbed.runs.compare.report.html.view import CellView, View

_NOTES = (
    "A fact is what a side says of itself: its processes by their metrics, a server that is not "
    "ours by its declaration. Sides may differ in what an option, a revision, a declaration or the "
    "plan declares, and in nothing else that is known. A fact that a side does not say is unknown, "
    "not equal.",
)


def section(view: View) -> Section:
    """Return the section; of sides that are all equal it says no more than that."""
    blocks = [block for cell in view.cells for block in _blocks(cell, view)]
    intro = list(lines(view.compared, view.plan)) or ["The trials have no record of any fact."]
    notes = _NOTES if blocks else ()
    return Section("facts", "Facts", "What the sides say of themselves", intro, blocks, notes)


def _blocks(cell: CellView, view: View) -> Iterator[Block]:
    found = of_cell(cell.compared, view.compared, view.plan)
    for title, chosen in (
        ("Different, as declared", [each for each in found if each.status == DECLARED]),
        ("Different, undeclared", [each for each in found if each.status == UNDECLARED]),
        ("Unknown", [each for each in found if each.unknown]),
    ):
        if chosen:
            heading = f"{cell.name}: {title.lower()}" if cell.name else title
            yield Block(heading, table=_table(chosen, cell.labels))


def _table(found: Sequence[Fact], labels: Sequence[str]) -> Table:
    declared = any(each.status == DECLARED for each in found)
    rows = [
        (
            each.name,
            *(NOTHING if value is None else value for value in each.values),
            *([", ".join(each.causes) or NOTHING] if declared else []),
        )
        for each in found
    ]
    return Table(("Fact", *labels, *(["Declared by"] if declared else [])), rows)
