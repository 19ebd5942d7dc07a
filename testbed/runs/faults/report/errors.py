"""The section on the ways in which calls ended without the answer that was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.report.numbers import NOTHING
from testbed.report.page import Block, Section, Table
from testbed.runs.faults.figures.model import ErrorKind, FaultFigures
from testbed.runs.faults.report.run import labels


def section(figures: Sequence[FaultFigures]) -> Section:
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


def _errors(figures: Sequence[FaultFigures], is_answer: bool) -> list[tuple[str, ...]]:
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
