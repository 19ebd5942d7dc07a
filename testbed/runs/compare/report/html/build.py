"""Puts the parts of a report together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from testbed.record.model import OPEN
from testbed.report.numbers import listed, plural
from testbed.report.page import Alert, ReportPage
from testbed.report.provenance import machine_words, when
from testbed.runs.compare.report.html import (
    budgets,
    cost,
    facts,
    inside,
    latency,
    origin,
    ratios,
    said,
    throughput,
    validity,
    words,
)
from testbed.runs.compare.report.html.view import View
from testbed.runs.faults.report import section as faults
from testbed.stack.sides.side import title as title_of

# Sides that a heading names besides the reference.
MOST_NAMED = 4


def page(view: View) -> ReportPage:
    """Return the page of one experiment."""
    return ReportPage(
        name=view.name,
        title=title(view),
        when=when(view.started()),
        labels=view.labels,
        titles=view.titles,
        what_ran=list(what_ran(view)),
        summary=list(words.summary(view)),
        alerts=list(alerts(view)),
        matrix=words.matrix(view.cells),
        verdicts=[words.verdicts(cell) for cell in view.cells],
        method=list(method(view)),
        sections=[
            latency.calls_section(view),
            latency.completion_section(view),
            throughput.section(view),
            inside.section(view),
            said.section(view),
            cost.section(view),
            budgets.section(view),
            *([faults.section(view.faults)] if view.faults else []),
            ratios.section(view),
            validity.void_section(view),
            validity.generator_section(view),
            facts.section(view),
            origin.fairness_section(view),
            origin.reproduce_section(view),
            origin.provenance_section(view),
        ],
        footer=f"Worked out from the recordings in {view.folder.resolve().name} by testbed report.",
    )


def title(view: View) -> str:
    """Name the experiment as a heading."""
    text = listed([_title(sides) for sides in dict.fromkeys(c.compared.sides for c in view.cells)])
    return text[0].upper() + text[1:] if text.startswith("design ") else text


def _title(sides: Sequence[str]) -> str:
    first, *others = map(title_of, sides)
    if {first} == {*others}:
        return f"{first} against itself"
    named = listed(others) if len(others) <= MOST_NAMED else f"{len(others)} others"
    return f"{first} against {named}"


def what_ran(view: View) -> Iterator[str]:
    """Say in a few sentences what was done."""
    total = sum(1 for _ in view.trials())
    cells = len(view.cells)
    over = f" in {plural(cells, 'cell')} of the plan" if cells > 1 else ""
    yield (
        f"{plural(view.compared.blocks, 'block')}, {plural(total, 'trial')}{over}; "
        f"{view.compared.freshness}, {_together(view)} in each block. {_load(view)}"
    )
    yield f"Machine: {machine_words(view.provenance.get('machine', {}))}."


def _together(view: View) -> str:
    if view.has_noise_floor:
        return "each side in random order and then in the mirror of it"
    return f"{'both' if len(view.labels) == 2 else 'all'} sides close together in time"


def _load(view: View) -> str:
    loops = view.loops()
    if not loops:
        return ""
    if loops == {OPEN}:
        return "Open loop: calls are sent on a schedule, whether or not earlier ones are answered."
    if OPEN in loops:
        return "Some trials ran in an open loop, some in a closed one."
    return "Closed loop: each user waits for an answer before the next call."


def alerts(view: View) -> Iterator[Alert]:
    """Give what has to be known before any figure is read."""
    void = sum(not trial.figures.valid for trial in view.trials())
    if void:
        verb = "is" if void == 1 else "are"
        yield Alert(
            f"{plural(void, 'void trial')}.",
            f"{'It' if void == 1 else 'They'} {verb} left out of all figures; the reasons are "
            "under “Void trials”.",
        )
    if missing := view.compared.missing:
        yield Alert(
            "Incomplete.",
            f"{len(missing)} of {plural(view.compared.planned_trials, 'planned trial')} "
            f"{'has' if len(missing) == 1 else 'have'} no valid attempt.",
        )
    reason = view.compared.ended.get("reason")
    if missing and reason:
        yield Alert("How it ended.", str(reason))
    if all(cell.blocks() < 2 for cell in view.cells):
        yield Alert("No intervals.", "They need two blocks in which all sides have a valid trial.")
    yield from budgets.alert(view)
    if not view.has_noise_floor and any(trial.figures.valid for trial in view.trials()):
        yield Alert(
            "No noise floor.",
            "No side has two valid trials in a block, as in recordings of earlier versions, so a "
            "small difference may be the machine's.",
        )


def method(view: View) -> Iterator[str]:
    """Say how a verdict comes about."""
    spread = "the spread between blocks"
    if view.has_noise_floor:
        spread += " and from what two trials of a side in one block differ by"
    ratio = (
        f"The ratio {view.ratio_labels[0]}"
        if len(view.labels) == 2
        else "A side's ratio to the first"
    )
    yield (
        f"{ratio} is taken within a block and averaged over blocks (geometric mean); the interval "
        f"is from {spread}. A side is called better if its interval is clear of no difference "
        "after allowing for how many figures are judged at once, and the ratio beyond the noise "
        "floor. “No difference shown” does not mean that there is none."
    )
    if view.has_noise_floor:
        yield (
            "The noise floor of a figure is of this very run: how far a side would be from itself, "
            "by what its own trials differed by."
        )


def settings(view: View) -> dict[str, Any]:
    """Return the plan without what only names things."""
    return {key: value for key, value in view.plan.items() if key not in {"titles", "name"}}
