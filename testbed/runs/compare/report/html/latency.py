"""The sections of percentile curves: calls as clients see them, and jobs from submit to finish."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.drive.figures.metrics import CALLS
from testbed.record.model import OPEN
from testbed.report import svg
from testbed.report.numbers import listed, optional
from testbed.report.page import Block, Chart, Key, Section
from testbed.runs.compare.report.html import curves
from testbed.runs.compare.report.html.view import CellView, View


def legend(labels: Sequence[str]) -> list[Key]:
    """Explain the lines of all sides."""
    return [Key(svg.swatch(side), label) for side, label in enumerate(labels)]


def calls_section(view: View) -> Section:
    """Return the section of latencies of calls."""
    since = "the moment it was due" if OPEN in view.loops() else "its send"
    intro = [
        f"Latency of a call, from {since} to its answer. Read the axis at the bottom as “this many "
        "percent of calls were faster”; it stretches the slow end, where users suffer. Lines are "
        "medians of the trials, bands their range. A curve ends where a trial has fewer than ten "
        "calls beyond."
    ]
    blocks = [_calls(cell) for cell in view.cells]
    return Section("latency", "Latency", "Latency of calls", intro, blocks)


def _calls(cell: CellView) -> Block:
    seen = {call for trial in cell.trials for call in trial.figures.calls}
    names = [call for call in CALLS if call in seen] + sorted(seen - set(CALLS))
    drawn: list[Chart] = []
    rows, few = [], []
    for index, name in enumerate(names):
        source = curves.calls_of(name)
        found = [each for side in cell.sides if (each := curves.curve(cell, side, source))]
        if found:
            drawn.append(curves.chart(f"calls-{cell.slug}-{index}", name, found, cell.labels))
            rows.append((name, found))
        else:
            few.append(name)
    text = [f"Too few calls for a curve: {listed(few)}."] if few else []
    if not names:
        text = ["No valid trial has calls to show."]
    behind = curves.table(rows, cell.labels) if rows else None
    return Block(cell.name, text, legend(cell.labels) if rows else (), drawn, behind)


def completion_section(view: View) -> Section:
    """Return the section of completion times."""
    intro = [
        "From the moment a job is accepted until it is done or has failed, by the clock of its "
        "owner: waiting for a slot, dispatch and execution. Canceled jobs are not in it."
    ]
    blocks = []
    for cell in view.cells:
        found = [
            each for side in cell.sides if (each := curves.curve(cell, side, curves.completions))
        ]
        if not found:
            blocks.append(Block(cell.name, ["Too few jobs finished for a curve."]))
            continue
        chart = curves.chart(f"jobs-{cell.slug}", "Completion time", found, cell.labels, wide=True)
        waits = ", ".join(
            f"{label} {optional(cell.value('queue_wait_p50_ms', side))} ms"
            for side, label in enumerate(cell.labels)
        )
        blocks.append(
            Block(
                cell.name,
                [f"Of that, the median wait for a slot: {waits}."],
                legend(cell.labels),
                [Chart(chart.svg)],
                curves.table([("Completion", found)], cell.labels),
            )
        )
    return Section("completion", "Completion", "Completion time of jobs", intro, blocks)
