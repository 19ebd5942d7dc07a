"""Throughput: against the load that was offered where that varies, over time in every trial."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median
from typing import Any

from testbed.drive.figures.warmup import FOUND
from testbed.report import charts
from testbed.report.charts import Axes, ChartLine
from testbed.report.numbers import number, optional
from testbed.report.page import Block, Chart, Section, Table
from testbed.report.scales import Linear, Log
from testbed.report.svg import Point
from testbed.runs.compare.report.html.latency import legend
from testbed.runs.compare.report.html.view import CellView, SeenTrial, View
from testbed.runs.compare.verdicts import cell_name

LOADS = {"rate": "offered calls per second", "users": "users"}
AGAINST = (
    ("requests_per_second", "requests answered", "1/s", False),
    ("jobs_per_second", "jobs finished", "1/s", False),
    ("SubmitJob_p99_ms", "SubmitJob p99", "ms", True),
    ("completion_p99_ms", "completion p99", "ms", True),
    ("cpu_ms_per_job", "stack CPU per finished job", "ms", False),
)
SMALL, WIDE = (340.0, 230.0), (760.0, 260.0)


def section(view: View) -> Section:
    """Return the section of throughput."""
    blocks = [*against_load(view), *steps(view)]
    intro = []
    if blocks:
        intro.append(
            "What was answered against what was offered. Lines are medians of the trials, bands "
            "their range; where a line bends away from the offered load, the stack has had enough."
        )
    else:
        intro.append("The load was the same in all trials, so this is what was answered over time.")
    blocks += [_over_time(cell) for cell in view.cells if any(map(cell.valid, cell.sides))]
    return Section("throughput", "Throughput", "Throughput", intro, blocks)


def against_load(view: View) -> list[Block]:
    """Draw the main metrics against the factor that is the load, if the plan has one."""
    blocks = []
    for factor, title in LOADS.items():
        having = [cell for cell in view.cells if isinstance(_level(cell, factor), int | float)]
        for rest, cells in _by_rest(having, factor):
            if len(cells) > 1:
                drawn = list(_against(cells, factor, title, rest))
                behind = _table(cells, factor, view.labels)
                blocks.append(Block(rest or f"Against {title}", charts=drawn, behind=behind))
    return blocks


def _by_rest(cells: Sequence[CellView], factor: str) -> Iterator[tuple[str, list[CellView]]]:
    """Group cells that differ in the factor alone, in the order of its levels."""

    def rest(cell: CellView) -> str:
        factors = cell.compared.factors.items()
        return cell_name({name: level for name, level in factors if name != factor})

    for name, group in groupby(sorted(cells, key=rest), key=rest):
        yield name, sorted(group, key=lambda cell: float(_level(cell, factor)))


def _level(cell: CellView, factor: str) -> Any:
    return cell.compared.factors.get(factor)


def _against(cells: list[CellView], factor: str, title: str, rest: str) -> Iterator[Chart]:
    for metric, label, unit, is_log in AGAINST:
        found = (_series(cells, factor, metric, side) for side in cells[0].sides)
        series = [each for each in found if each.points]
        values = [y for each in series for _, y in (*each.points, *each.high, *each.low)]
        if not values:
            continue
        x = Linear.around(float(_level(cell, factor)) for cell in cells)
        y = Log.around(values) if is_log else Linear.around(values)
        name = f"load-{cells[0].slug}-{factor}-{metric}"
        description = "; ".join(
            f"{each.name}: " + ", ".join(f"{number(v)} at {at:g}" for at, v in each.points)
            for each in series
        )
        drawn = charts.lines(
            SMALL, name, f"{label} {rest}", description, Axes(x, y, title, unit), series
        )
        yield Chart(drawn, label)


def _series(cells: list[CellView], factor: str, metric: str, side: int) -> ChartLine:
    points, low, high = [], [], []
    for cell in cells:
        row = cell.compared.row(metric)
        values = [value for block in row.values[side] for value in block] if row else []
        if values:
            at = float(_level(cell, factor))
            points.append((at, median(values)))
            low.append((at, min(values)))
            high.append((at, max(values)))
    return ChartLine(cells[0].labels[side], side, points, low, high, marked=True)


def _table(cells: list[CellView], factor: str, labels: Sequence[str]) -> Table:
    columns = [f"{label} {side}, {unit}" for _, label, unit, _ in AGAINST for side in labels]
    rows = [
        (
            f"{_level(cell, factor):g}",
            *(optional(cell.value(metric, side)) for metric, *_ in AGAINST for side in cell.sides),
        )
        for cell in cells
    ]
    return Table((factor, *columns), rows, frozenset(range(1, len(columns) + 1)))


def steps(view: View) -> list[Block]:
    """Draw answered calls per second against the value of each step, where trials have steps."""
    blocks = []
    for cell in view.cells:
        series = [each for side in cell.sides if (each := _stepped(cell, side)).points]
        if not series:
            continue
        values = [y for each in series for _, y in each.points]
        axes = Axes(
            Linear.around(x for each in series for x, _ in each.points),
            Linear.around(values),
            "load of the step",
            "answered 1/s",
        )
        drawn = charts.lines(
            WIDE, f"steps-{cell.slug}", "Answered against load", "By step", axes, series
        )
        rows = [
            (each.name, f"{at:g}", number(value)) for each in series for at, value in each.points
        ]
        table = Table(("", "load of the step", "answered, 1/s"), rows, frozenset({1, 2}))
        title = f"{cell.name}, step by step".removeprefix(", ")
        blocks.append(Block(title[0].upper() + title[1:], charts=[Chart(drawn)], behind=table))
    return blocks


def _stepped(cell: CellView, side: int) -> ChartLine:
    """Return the median over the trials of what was answered in the whole seconds of a step."""
    found: dict[float, list[float]] = {}
    for trial in cell.valid(side):
        load, _ = trial.measured()
        for step in load.steps if len(load.steps) > 1 else ():
            rows = load.in_window(step.window)
            if rows:
                rate = sum(row.answered + row.expected for row in rows) / len(rows)
                found.setdefault(step.value, []).append(rate)
    points = [(value, median(rates)) for value, rates in sorted(found.items())]
    return ChartLine(cell.labels[side], side, points, marked=True)


def _over_time(cell: CellView) -> Block:
    trials = [trial for side in cell.sides for trial in cell.valid(side)]
    series = [_seconds(trial, cell.labels) for trial in trials]
    points = [point for each in series for point in each.points]
    axes = Axes(
        Linear.around(x for x, _ in points),
        Linear.around(y for _, y in points),
        "seconds since the drive began",
        "answered 1/s",
    )
    warmup = max((trial.measured()[0].nominal_warmup for trial in trials), default=0.0)
    drawn = charts.lines(
        WIDE,
        f"time-{cell.slug}",
        "Requests answered over time",
        f"One line for each of {len(trials)} valid trials.",
        axes,
        series,
        shade=(0.0, warmup),
    )
    caption = "One line for each valid trial."
    if warmup:
        caption += f" The nominal warm-up, in grey, is in no figure ({warmup:g} s)."
    caption += _later(trials)
    title = f"{cell.name}, over time".removeprefix(", ")
    return Block(
        title[0].upper() + title[1:],
        legend=legend(cell.labels),
        charts=[Chart(drawn, "", caption)],
    )


def _later(trials: Sequence[SeenTrial]) -> str:
    """Name the trials that are measured from later on than the nominal warm-up."""
    cuts = [(trial.figures.header.number, trial.figures.cut) for trial in trials]
    later = [
        f"{number} from {cut.warmup:.0f} s" for number, cut in cuts if cut and cut.kind == FOUND
    ]
    return f" Measured from later on, because the data say so: trial {', '.join(later)}." * bool(
        later
    )


def _seconds(trial: SeenTrial, labels: Sequence[str]) -> ChartLine:
    """Leave out the last second, which the end of the drive cuts."""
    load, _ = trial.measured()
    side = trial.figures.header.side
    points: list[Point] = [
        (row.unix - load.window.from_unix, float(row.answered + row.expected))
        for row in load.seconds
        if row.unix >= load.window.from_unix and row.unix + 1 <= load.window.to_unix
    ]
    return ChartLine(labels[side], side, points, thin=True)
