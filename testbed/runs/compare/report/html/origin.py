"""Where the figures come from: what all sides ran with, how to repeat it, and provenance."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.report.numbers import NOTHING
from testbed.report.page import Block, Section, Table
from testbed.report.provenance import flat, origin, two_columns
from testbed.runs.compare.report.html.view import CellView, View


def fairness_section(view: View) -> Section:
    """Return the section of what all sides reported to run with."""
    blocks = [block for cell in view.cells if (block := _fairness(cell))]
    intro = ["Every stack was asked what it runs with before it was driven. A row in bold differs."]
    if not blocks:
        intro = ["The trials have no record of what the stacks ran with."]
    if len(blocks) > 1 and len({tuple(map(tuple, _rows_of(block))) for block in blocks}) == 1:
        blocks = [Block(table=blocks[0].table)]
    return Section("fairness", "Fairness", _title(view), intro, blocks)


def _title(view: View) -> str:
    return f"What {'both' if len(view.labels) == 2 else 'all'} sides ran with"


def _rows_of(block: Block) -> Sequence[Sequence[str]]:
    return block.table.rows if block.table else ()


def _fairness(cell: CellView) -> Block | None:
    sides = [_reported(cell, side) for side in cell.sides]
    names = list(dict.fromkeys(name for side in sides for name in side))
    if not names:
        return None
    rows = [(name, *(side.get(name, NOTHING) for side in sides)) for name in names]
    marked = frozenset(index for index, row in enumerate(rows) if len(set(row[1:])) > 1)
    return Block(cell.name, table=Table(("", *cell.labels), rows, marked=marked))


def _reported(cell: CellView, side: int) -> dict[str, str]:
    """Return what the trials of a side ran with; where they differ, all that was reported."""
    found: dict[str, list[str]] = {}
    for trial in cell.trials:
        header = trial.figures.header
        if header.side == side:
            reported = {
                **header.fairness,
                **({"settings": header.settings} if header.settings else {}),
            }
            for name, value in flat(reported):
                found.setdefault(name, []).append(value)
    return {name: " or ".join(dict.fromkeys(values)) for name, values in found.items()}


def reproduce_section(view: View) -> Section:
    """Return the section of how to repeat the experiment."""
    git = view.provenance.get("git", {})
    commit, command = git.get("commit"), view.provenance.get("command", "")
    lines = [f"git checkout {commit}"] if commit else []
    lines += [str(command)] if command else []
    intro = ["The traffic is seeded, so the same calls are made in the same order; times differ."]
    if git.get("dirty"):
        intro.append(
            "The tree had changes that are in no commit, so the commit alone does not bring back "
            "what ran."
        )
    notes = ["This page is rebuilt from the folder beside it by: testbed report FOLDER"]
    return Section(
        "reproduce",
        "Reproduce",
        "How to reproduce it",
        intro,
        notes=notes,
        command="\n".join(lines),
    )


def provenance_section(view: View) -> Section:
    """Return the section of everything that the figures depend on."""
    blocks = [Block("Origin", table=two_columns(origin(view.provenance)))]
    plan = [(name, text) for name, text in flat(view.plan) if not name.startswith("titles")]
    blocks.append(Block("Plan", table=two_columns(plan)))
    return Section("provenance", "Provenance", "Provenance", [], blocks)
