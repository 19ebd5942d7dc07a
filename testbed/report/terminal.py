"""A comparison for a terminal: what was done, the table, how to read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.analysis.comparison import Comparison, Row
from testbed.analysis.trial import TrialFigures
from testbed.report.numbers import NOTHING, number

ROUNDS_SHOWN = 5
LOST_SHOWN = 5
PLAIN_WIDTH = 120
BUSY_LOAD = 0.5


def show(console: Console, comparison: Comparison, plan: Mapping[str, Any]) -> None:
    """Print the whole report; without a single usable trial only why there is none."""
    console = wide_enough(console)
    if any(trial.valid for trial in comparison.trials):
        for line in what_ran(comparison, plan):
            console.print(Text(line))
        console.print()
        console.print(table(comparison))
        for line in how_to_read(comparison):
            console.print(Text(line))
    for note in notes(comparison):
        console.print(note)


def wide_enough(console: Console) -> Console:
    """Return a console that does not cut a table where there is no terminal to fit it to."""
    if console.is_terminal:
        return console
    return Console(file=console.file, width=PLAIN_WIDTH, highlight=False, soft_wrap=True)


def busy_note(machine: Mapping[str, Any]) -> str:
    """Say so if the machine had other work when the run began; else nothing."""
    load, cores = machine["load_average"][0], machine["cores"]
    if load <= BUSY_LOAD * cores:
        return ""
    return (
        f"note  the machine is busy already (load average {load} on {cores} cores): expect a "
        "larger spread between rounds"
    )


def what_ran(comparison: Comparison, plan: Mapping[str, Any]) -> Iterator[str]:
    """Say what was compared under which traffic."""
    traffic = plan["traffic"]
    first, second = comparison.labels
    titles = plan.get("titles", {})
    named = [
        f"{label} = design {design}" + (f", {titles[design]}" if design in titles else "")
        for label, design in zip((first, second), comparison.designs, strict=True)
    ]
    yield "; ".join(named) + f"; {plan['slots']} execution slots each."
    yield (
        f"Closed loop of {traffic['users']} users, each thinking "
        f"{traffic['think_time']} s on average between calls; mix {traffic['mix']}."
    )
    yield (
        f"Jobs of kind {traffic['kind']}, {traffic['job_ms']:g} ms, "
        f"{traffic['payload_bytes']} payload bytes; deadline of a call {traffic['deadline']:g} s; "
        f"seed {traffic['seed']}."
    )
    yield (
        f"{rounds_text(comparison.rounds, plan['rounds'])}; every trial a fresh stack, "
        f"{traffic['warmup']:g} s warm-up discarded, about {traffic['duration']:g} s measured."
    )


def rounds_text(run: int, planned: int) -> str:
    """Say how many rounds there were."""
    if run < planned:
        return f"{run} of {planned} rounds"
    return "1 round" if planned == 1 else f"{planned} rounds, the order turned round each time"


def table(comparison: Comparison) -> Table:
    """Lay out the metrics: the median of each side, the ratio of each round, their median."""
    first, second = comparison.labels
    result = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    result.add_column("")
    result.add_column("", no_wrap=True, style="dim")
    for label in (first, second):
        result.add_column(label, justify="right", no_wrap=True)
    result.add_column(comparison.ratio_label, justify="right", no_wrap=True, style="bold")
    result.add_column(_spread_title(comparison.rounds), justify="right", no_wrap=True)
    group = ""
    for row in comparison.rows:
        if row.metric.group != group:
            group = row.metric.group
            result.add_row(Text(group, style="italic cyan"))
        result.add_row(*_cells(row))
    return result


def _spread_title(rounds: int) -> str:
    if rounds > ROUNDS_SHOWN:
        return "least to greatest"
    return "in each round"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"  {row.metric.label}",
        row.metric.unit,
        _side(row, 0),
        _side(row, 1),
        _ratio(row.ratio),
        _spread(row),
    )


def _side(row: Row, side: int) -> str:
    if row.too_few(side):
        return "too few"
    value = row.median(side)
    return NOTHING if value is None else number(value, row.metric.is_count)


def _spread(row: Row) -> str:
    if not row.given_ratios:
        return ""
    if len(row.ratios) > ROUNDS_SHOWN:
        return f"{min(row.given_ratios):.2f} – {max(row.given_ratios):.2f}"
    return " ".join(f"{_ratio(each) or NOTHING:>5}" for each in row.ratios)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def how_to_read(comparison: Comparison) -> Iterator[str]:
    """Say what the table can and cannot tell."""
    first, second = comparison.labels
    rounds = sum(
        any(row.ratios[number] is not None for row in comparison.rows)
        for number in range(comparison.rounds)
    )
    yield ""
    yield (
        f"{first} and {second} are medians of the rounds. {comparison.ratio_label} is the median "
        f"of the ratios within a round, over {rounds} round{'s' * (rounds != 1)}; beside it their "
        "spread."
    )
    yield (
        "Closed loop: a user waits for each answer, so users and think time set the rate as much "
        "as the stack does, and a stall delays calls that then are not measured."
    )
    yield (
        'Percentiles of calls are of the answered ones, from microsecond histograms; "too few" '
        "means fewer than ten samples beyond the percentile. Job times are by the owner's clock."
    )


def notes(comparison: Comparison) -> Iterator[Text]:
    """Give what voids a trial or has to be known of it, most serious first."""
    for trial in comparison.trials:
        for problem in trial.problems:
            yield Text(
                f"VOID  {_name(trial)}: {problem}; left out of the figures", style="bold red"
            )
        for job in trial.lost[:LOST_SHOWN]:
            yield Text(f"      lost {job.job_id}: {job.problem}", style="red")
        if len(trial.lost) > LOST_SHOWN:
            yield Text(f"      and {len(trial.lost) - LOST_SHOWN} more, see comparison.json", "red")
    missing = comparison.planned_trials - len(comparison.trials)
    if missing:
        yield Text(
            f"PARTIAL  {missing} of {comparison.planned_trials} trials did not run", "bold red"
        )
    for trial in comparison.trials:
        for warning in trial.warnings:
            yield Text(f"note  {_name(trial)}: {warning}", style="yellow")


def _name(trial: TrialFigures) -> str:
    header = trial.header
    return f"trial {header.number} (round {header.round}, design {header.design.upper()})"
