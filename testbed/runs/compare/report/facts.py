"""What the sides of a comparison say that they run with, in a few lines: what is not equal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from testbed.drive import facts
from testbed.drive.facts import DECLARED, EQUAL, UNDECLARED, Fact
from testbed.report.numbers import NOTHING, plural
from testbed.runs.compare.comparison import CellComparison, Comparison

# Names of unknown facts in a line; the page and comparison.json have all of them.
NAMED = 6
ARROW = " → "


def of_cell(
    cell: CellComparison, comparison: Comparison, plan: Mapping[str, Any]
) -> tuple[Fact, ...]:
    """Return the facts of a cell of a comparison; none of a recording that has none."""
    headers = (each.header for each in comparison.trials)
    return facts.of_trials(
        [each for each in headers if each.plan_cell == cell.factors],
        len(cell.labels),
        plan.get("declared", ()),
    )


def lines(comparison: Comparison, plan: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines of each cell; cells of which the same is to be said share them."""
    cells: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for cell in comparison.cells:
        found = tuple(of_facts(of_cell(cell, comparison, plan), cell.labels))
        cells[found].append(cell.name)
    for found, names in cells.items():
        where = f"{'; '.join(names)}: " if len(cells) > 1 else ""
        yield from (f"{where}{line}" for line in found)


def of_facts(found: Sequence[Fact], labels: Sequence[str]) -> Iterator[str]:
    """Say which facts differ and which are unknown; of the others only how many there are."""
    equal = sum(each.status == EQUAL for each in found)
    if differing := [each for each in found if each.status == DECLARED]:
        yield f"Differs as declared: {'; '.join(map(_as_declared, differing))}."
    if wrong := [each for each in found if each.status == UNDECLARED]:
        yield f"Differs although nothing declares it: {'; '.join(map(difference, wrong))}."
    for label, names in _unknown(found, labels).items():
        yield f"Unknown of {label}: {_named(names)}."
    if equal:
        yield f"All {'other ' if equal < len(found) else ''}facts equal: {plural(equal, 'fact')}."


def difference(fact: Fact) -> str:
    """Write what each side says, in their order: ``lease 6 → 10``."""
    return f"{fact.name} {ARROW.join(NOTHING if each is None else each for each in fact.values)}"


def _as_declared(fact: Fact) -> str:
    return f"{difference(fact)} ({', '.join(fact.causes)})"


def _unknown(found: Sequence[Fact], labels: Sequence[str]) -> dict[str, list[str]]:
    """Return for each side that does not say everything the names of what it does not say."""
    names: dict[str, list[str]] = defaultdict(list)
    for side, label in enumerate(labels):
        for fact in found:
            if fact.values[side] is None:
                names[label].append(fact.name)
    return dict(names)


def _named(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
