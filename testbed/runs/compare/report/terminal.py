"""A comparison for a terminal: what was done, a table for each cell, how to read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from testbed.drive.figures.trial import TrialFigures
from testbed.drive.figures.warmup import FOUND
from testbed.drive.traffic import EARLIER_CLIENT
from testbed.report.numbers import listed, plural
from testbed.runs.compare.comparison import CellComparison, Comparison
from testbed.runs.compare.report import facts
from testbed.runs.compare.report.table import table
from testbed.stack.sides.side import Side

LOST_SHOWN = 5
_SIGNS = ' "≈" stands for no difference shown, "…" for not enough data.'


def show(console: Console, comparison: Comparison, plan: Mapping[str, Any]) -> None:
    """Print the whole report; without a single usable trial only why there is none."""
    if any(trial.valid for trial in comparison.trials):
        for line in (*what_ran(comparison, plan), *facts.lines(comparison, plan)):
            console.print(Text(line))
        for cell in comparison.cells:
            console.print()
            if cell.name:
                console.print(Text(cell.name, style="bold"))
            console.print(table(cell))
        for line in how_to_read(comparison, plan):
            console.print(Text(line))
    for note in notes(comparison):
        console.print(note)


def what_ran(comparison: Comparison, plan: Mapping[str, Any]) -> Iterator[str]:
    """Say what was compared under which traffic."""
    titles = plan.get("titles", {})
    for pair in dict.fromkeys((cell.labels, cell.sides) for cell in comparison.cells):
        yield "; ".join(_named(label, side, titles) for label, side in zip(*pair, strict=True))
    of_their_own = any("slots" in Side.parse(side).options for side in comparison.sides)
    slots = None if of_their_own else plan.get("slots")
    later = sum(trial.cut is not None and trial.cut.kind == FOUND for trial in comparison.trials)
    yield from traffic_lines(plan["traffic"], plan)
    yield (
        f"{blocks_text(comparison.blocks, plan['blocks'])}; {comparison.freshness}"
        + (f", {slots} execution slots" if slots else "")
        + f", {plan['warmup']:g} s warm-up discarded, about {plan['duration']:g} s measured"
        + (f"; {plural(later, 'trial')} cut later, see the notes." if later else ".")
    )


def _named(label: str, side: str, titles: Mapping[str, str]) -> str:
    parsed = Side.parse(side)
    name = f"{label} = design {side}" if parsed.is_plain else label
    return f"{name}, {titles[parsed.design]}" if parsed.design in titles else name


def traffic_lines(traffic: Mapping[str, Any], plan: Mapping[str, Any]) -> Iterator[str]:
    """Describe the load; what is a factor of the plan is not in ``traffic`` but in its levels."""
    factors = plan.get("factors", {})

    def of(name: str) -> str:
        levels = factors.get(name, [traffic.get(name)])
        return ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in levels)

    if "rate" in factors or traffic.get("rate") is not None:
        yield (
            f"Open loop of {of('rate')} calls per second, {of('arrivals')} arrivals, at most "
            f"{of('max_in_flight')} in flight; mix {of('mix')}."
        )
    else:
        yield (
            f"Closed loop of {of('users')} users, each thinking {of('think_time')} s on average "
            f"between calls; mix {of('mix')}."
        )
    client = traffic.get("client", EARLIER_CLIENT)
    yield (
        f"Jobs of kind {of('kind')}, {of('job_ms')} ms, {of('payload_bytes')} payload bytes; "
        f"deadline of a call {of('deadline')} s; called by {client}; "
        f"seed {plan.get('seed')}."
    )


def blocks_text(run: int, planned: int) -> str:
    """Say how many blocks there were."""
    if run < planned:
        return f"{run} of {planned} blocks"
    return plural(planned, "block")


def how_to_read(comparison: Comparison, plan: Mapping[str, Any]) -> Iterator[str]:
    """Say what the tables can and cannot show."""
    cell = comparison.cells[0]
    yield ""
    yield (
        f"{listed(list(cell.labels))} are medians of the trials. {_ratio_words(cell)} the mean (of "
        "logarithms) of the ratios within a block; its interval is from the spread between blocks"
        f"{_repeats_words(cell)}. A verdict takes into account how many figures are judged."
        f"{_SIGNS if len(cell.sides) > 2 else ''}"
    )
    if "rate" in plan.get("factors", {}) or plan["traffic"].get("rate") is not None:
        yield (
            "Open loop: arrivals wait for no answer, and a call's latency counts from when it was "
            "due, so a stall is in the percentiles of all calls that it delayed."
        )
    else:
        yield (
            "Closed loop: a user waits for each answer, so users and think time set the rate as "
            "much as the stack does, and a stall delays calls that then are not measured."
        )
    yield (
        'Percentiles of calls are of the answered ones, from microsecond histograms; "too few" '
        "means fewer than ten samples beyond the percentile. Job times are by the owner's clock."
    )


def _ratio_words(cell: CellComparison) -> str:
    if len(cell.sides) > 2:
        return f'The "ratio" of a side is to {cell.labels[0]},'
    return f"{cell.ratio_labels[0]} is"


def _repeats_words(cell: CellComparison) -> str:
    if all(each.floor is None for row in cell.rows for each in row.against):
        return ""
    return (
        " and from what two trials of a side in one block differ by, which is the noise that a "
        "verdict is clear of"
    )


def notes(comparison: Comparison) -> Iterator[Text]:
    """Give what voids a trial or has to be known of it, most serious first."""
    for trial in comparison.trials:
        for problem in trial.problems:
            yield Text(
                f"VOID  {_name(trial, comparison)}: {problem}; left out of the figures",
                style="bold red",
            )
        for job in trial.lost[:LOST_SHOWN]:
            yield Text(f"      lost {job.job_id}: {job.problem}", style="red")
        if len(trial.lost) > LOST_SHOWN:
            yield Text(f"      and {len(trial.lost) - LOST_SHOWN} more, see comparison.json", "red")
    if comparison.missing:
        yield Text(
            f"PARTIAL  {len(comparison.missing)} of {comparison.planned_trials} trials have no "
            "valid attempt",
            "bold red",
        )
    for trial in comparison.trials:
        for warning in trial.warnings:
            yield Text(f"note  {_name(trial, comparison)}: {warning}", style="yellow")


def _name(trial: TrialFigures, comparison: Comparison) -> str:
    header = trial.header
    return f"trial {header.number} (block {header.block}, {comparison.side_of(header)})"
