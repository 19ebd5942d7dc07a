"""Every metric as a ratio on one axis: interval, noise and verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from markupsafe import Markup

from testbed.report import charts
from testbed.report.charts import Strip
from testbed.report.numbers import NOTHING, number
from testbed.report.page import Block, RatioGroup, RatioRow, Ratios, Section
from testbed.report.scales import Log
from testbed.runs.compare.report.headlines import short
from testbed.runs.compare.report.html import words
from testbed.runs.compare.report.html.view import CellView, View
from testbed.runs.compare.verdicts import Against, Judged
from testbed.stats import Interval

WIDEST = 30.0


def section(view: View) -> Section:
    """Return the section of all ratios."""
    return Section(
        "ratios",
        "Every ratio",
        "Every ratio",
        [_intro(view)],
        [Block(cell.name, ratios=_ratios(cell)) for cell in view.cells],
        list(_notes(view)),
    )


def _intro(view: View) -> str:
    if len(view.labels) > 2:
        return (
            f"Each side/{view.labels[0]} for every metric. Left of 1, the side has the smaller "
            "figure: better for times and costs, worse for throughput."
        )
    return (
        f"{view.ratio_labels[0]} for every metric. Left of 1, {view.labels[1]} has the smaller "
        "figure: better for times and costs, worse for throughput."
    )


def _notes(view: View) -> Iterator[str]:
    marks = (
        f"the mark of {view.labels[0]} where that is better, the side's own where it is"
        if len(view.labels) > 2
        else f"a disc where {view.labels[0]} is better, a square where {view.labels[1]} is"
    )
    yield (
        f"The line is the confidence interval, the mark the estimate: {marks}, an open ring where "
        "neither is shown to be. An interval that crosses 1 is compatible with no difference; an "
        "arrow says that it goes on beyond the axis."
    )
    if view.has_noise_floor:
        yield (
            "The grey band is the noise floor: how far a side would be from itself, by what its "
            "own trials differed by in this run."
        )


def _ratios(cell: CellView) -> Ratios:
    """Lay out a row for each metric, of more than two sides one for each side in a metric."""
    rows, several = cell.compared.rows, len(cell.labels) > 2
    scale = axis(rows)
    groups: dict[str, list[RatioRow]] = {}
    for index, row in enumerate(rows):
        for against in row.against:
            name = f"ratio-{cell.slug}-{index}-{against.side}"
            drawn = ratio_row(row, against, cell.labels, scale, name)
            group = row.metric.group
            if several:
                group, drawn = row.metric.label, replace(drawn, label=cell.labels[against.side])
            groups.setdefault(group, []).append(drawn)
    confidence = next(
        (each.ratio.confidence for row in rows for each in row.against if each.ratio), 0.95
    )
    return Ratios(
        (cell.labels[0], "side") if several else cell.labels,
        charts.strip_axis(scale),
        f"side/{cell.labels[0]}" if several else cell.compared.ratio_labels[0],
        f"{confidence:.0%}",
        [RatioGroup(name, own) for name, own in groups.items()],
        "Side" if several else "Metric",
    )


def axis(rows: Sequence[Judged]) -> Log:
    """Span all estimates and 1, and the intervals as far as that leaves the rest legible."""
    ratios = [each.ratio for row in rows for each in row.against if each.ratio]
    estimates = [1.0, *(ratio.estimate for ratio in ratios)]
    low, high = min(estimates) / 2, max(estimates) * 2
    ends = [end for ratio in ratios for end in (ratio.low, ratio.high) if low <= end <= high]
    around = Log.around([*estimates, *ends], least_decades=0.5)
    return Log(max(around.low, 1 / WIDEST / 10), min(around.high, WIDEST * 10))


def ratio_row(
    row: Judged, against: Against, labels: Sequence[str], scale: Log, name: str
) -> RatioRow:
    """Draw and write one ratio; ``name`` is unique on the page."""
    first, second = _value(row, 0), _value(row, against.side)
    shown: Markup | str = ""
    if ratio := against.ratio:
        floor = against.floor
        noise = None if floor is None else (1 / (1 + floor), 1 + floor)
        strip = Strip(ratio.estimate, ratio.low, ratio.high, noise, words.style(against))
        shown = charts.strip(scale, strip, name, f"{row.metric.label}: {_interval(ratio)}")
    return RatioRow(
        label=row.metric.label,
        unit=row.metric.unit,
        values=(first, second),
        strip=shown,
        ratio=number(against.ratio.estimate) if against.ratio else "",
        interval=_interval(against.ratio) if against.ratio else "",
        style=words.style(against),
        short=short(against, labels),
    )


def _value(row: Judged, side: int) -> str:
    value = row.medians[side]
    if value is None:
        return "too few" if row.too_few[side] else NOTHING
    return number(value, row.metric.is_count)


def _interval(ratio: Interval) -> str:
    return f"{number(ratio.low)} – {number(ratio.high)}"
