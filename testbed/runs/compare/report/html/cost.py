"""What a job costs: CPU of the stack per finished job, by process."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from testbed.drive.figures import resources
from testbed.drive.figures.trial import finished_in
from testbed.record.model import STACK
from testbed.report import charts
from testbed.report.charts import Bar, BarPart
from testbed.report.numbers import number, optional
from testbed.report.page import Block, Chart, Section, Table
from testbed.runs.compare.report.html.view import CellView, SeenTrial, View

WIDTH = 760.0
UNIT = "ms"


def section(view: View) -> Section:
    """Return the section of what a job costs."""
    blocks = [block for cell in view.cells if (block := _block(cell))]
    intro = [
        "CPU time of the stack, without the load generator, for each job that finished. It covers "
        "all calls that were made, not submits alone, and on a shared machine it is the steadiest "
        "figure there is."
    ]
    if not blocks:
        intro = ["No trial has samples of CPU time and finished jobs, so there is no cost to show."]
    return Section("cost", "Cost per job", "What a job costs", intro, blocks)


def _block(cell: CellView) -> Block | None:
    sides = [per_process(cell, side) for side in cell.sides]
    bars = [
        Bar(
            f"{cell.labels[side]} {process}",
            side,
            [BarPart(process, value)],
            f"{number(value)} {UNIT}",
        )
        for side in cell.sides
        for process, value in sides[side].items()
    ]
    if not bars:
        return None
    description = ", ".join(f"{bar.label} {bar.total}" for bar in bars)
    drawn = charts.bars(WIDTH, f"cost-{cell.slug}", "CPU per finished job", description, bars, UNIT)
    rows = [(bar.label, number(bar.parts[0].value)) for bar in bars]
    totals = ", ".join(
        f"{label} {optional(cell.value('cpu_ms_per_job', side))} ms"
        for side, label in enumerate(cell.labels)
    )
    return Block(
        cell.name,
        [f"In all: {totals}. By process, the median over the trials:"],
        charts=[Chart(drawn)],
        behind=Table(("process", "CPU per finished job, ms"), rows, frozenset({1})),
    )


def per_process(cell: CellView, side: int) -> dict[str, float]:
    """Return CPU milliseconds per finished job of each process, the median over the trials."""
    found: dict[str, list[float]] = {}
    for trial in cell.valid(side):
        for process, value in _of_trial(trial).items():
            found.setdefault(process, []).append(value)
    return {process: median(values) for process, values in sorted(found.items())}


def _of_trial(trial: SeenTrial) -> Mapping[str, float]:
    _, window = trial.measured()
    finished = finished_in(trial.recorded.jobs, window)
    if not finished:
        return {}
    rows = [row for row in trial.recorded.resources if row.role == STACK]
    cpu = {
        process: resources.cpu_seconds(
            [row for row in rows if row.process == process], STACK, window
        )
        for process in {row.process for row in rows}
    }
    return {name: used * 1000 / finished for name, used in cpu.items() if used is not None}
