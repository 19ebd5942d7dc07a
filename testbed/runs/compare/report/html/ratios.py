"""Every metric as a ratio on one axis: interval, noise and verdict."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from testbed.report import charts
from testbed.report.charts import Strip
from testbed.report.numbers import NOTHING, number
from testbed.report.page import Block, RatioGroup, RatioRow, Ratios, Section
from testbed.report.scales import Log
from testbed.runs.compare.report.html import words
from testbed.runs.compare.report.html.view import CellView, View
from testbed.runs.compare.verdicts import Judged

WIDEST = 30.0


def section(view: View) -> Section:
    """Return the section of all ratios."""
    notes = [
        "The line is the confidence interval, the mark the estimate: a disc where "
        f"{view.labels[0]} is better, a square where {view.labels[1]} is, an open ring where "
        "neither is shown to be. An interval that crosses 1 is compatible with no difference; an "
        "arrow says that it goes on beyond the axis.",
    ]
    if view.noise:
        notes.append(
            "The grey band is the noise floor: how far the same metric differed between two runs "
            f"of the same design, from {view.noise.folder.name}."
        )
    return Section(
        "ratios",
        "Every ratio",
        "Every ratio",
        [
            f"{view.ratio_label} for every metric. Left of 1, {view.labels[1]} has the smaller "
            "figure: better for times and costs, worse for throughput."
        ],
        [Block(cell.name, ratios=_ratios(cell, view.ratio_label)) for cell in view.cells],
        notes,
    )


def _ratios(cell: CellView, ratio_label: str) -> Ratios:
    rows = cell.compared.rows
    scale = axis(rows)
    groups: dict[str, list[RatioRow]] = {}
    for index, row in enumerate(rows):
        drawn = ratio_row(row, cell.labels, scale, f"ratio-{cell.slug}-{index}")
        groups.setdefault(row.metric.group, []).append(drawn)
    confidence = next((row.ratio.confidence for row in rows if row.ratio), 0.95)
    return Ratios(
        cell.labels,
        charts.strip_axis(scale),
        ratio_label,
        f"{confidence:.0%}",
        [RatioGroup(name, own) for name, own in groups.items()],
    )


def axis(rows: Sequence[Judged]) -> Log:
    """Span all estimates and 1, and the intervals as far as that leaves the rest legible."""
    ratios = [row.ratio for row in rows if row.ratio]
    estimates = [1.0, *(ratio.estimate for ratio in ratios)]
    low, high = min(estimates) / 2, max(estimates) * 2
    ends = [end for ratio in ratios for end in (ratio.low, ratio.high) if low <= end <= high]
    around = Log.around([*estimates, *ends], least_decades=0.5)
    return Log(max(around.low, 1 / WIDEST / 10), min(around.high, WIDEST * 10))


def ratio_row(row: Judged, labels: tuple[str, str], scale: Log, name: str) -> RatioRow:
    """Draw and write one ratio; ``name`` is unique on the page."""
    first, second = (_value(row, side) for side in (0, 1))
    shown: Markup | str = ""
    if row.ratio:
        noise = (row.noise.low, row.noise.high) if row.noise else None
        strip = Strip(row.ratio.estimate, row.ratio.low, row.ratio.high, noise, words.style(row))
        shown = charts.strip(scale, strip, name, f"{row.metric.label}: {_interval(row)}")
    return RatioRow(
        label=row.metric.label,
        unit=row.metric.unit,
        values=(first, second),
        strip=shown,
        ratio=number(row.ratio.estimate) if row.ratio else "",
        interval=_interval(row),
        style=words.style(row),
        short=words.short(row, labels),
    )


def _value(row: Judged, side: int) -> str:
    value = row.medians[side]
    if value is None:
        return "too few" if row.too_few[side] else NOTHING
    return number(value, row.metric.is_count)


def _interval(row: Judged) -> str:
    return f"{number(row.ratio.low)} – {number(row.ratio.high)}" if row.ratio else ""
