"""The metrics of a cell as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from testbed.report.numbers import NOTHING, number
from testbed.runs.compare.comparison import CellComparison
from testbed.runs.compare.report.headlines import short
from testbed.runs.compare.verdicts import Against, Judged
from testbed.stats import RatioOutcome

# Verdicts on a side in a table of many.
_WORDS: dict[RatioOutcome | None, str] = {
    RatioOutcome.REFERENCE_BETTER: "worse",
    RatioOutcome.SIDE_BETTER: "better",
    RatioOutcome.NO_DIFFERENCE: "≈",
    RatioOutcome.NOT_ENOUGH_DATA: "…",
}


def table(cell: CellComparison) -> Table:
    """Lay out the metrics: the median of each side, the ratio, its interval and the verdict.

    Of more than two sides each has its median, its ratio to the first and the verdict.
    """
    result = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    result.add_column("")
    result.add_column("", no_wrap=True, style="dim")
    several = len(cell.sides) > 2
    (_columns_of_many if several else _columns_of_two)(result, cell)
    group = ""
    for row in cell.rows:
        if row.metric.group != group:
            group = row.metric.group
            result.add_row(Text(group, style="italic cyan"))
        figures = _figures_of_many(row) if several else _figures_of_two(row, cell.labels)
        result.add_row(f"  {row.metric.label}", row.metric.unit, *figures)
    return result


def _columns_of_two(result: Table, cell: CellComparison) -> None:
    for label in cell.labels:
        result.add_column(label, justify="right", no_wrap=True)
    result.add_column(cell.ratio_labels[0], justify="right", no_wrap=True, style="bold")
    result.add_column("95 %", justify="right", no_wrap=True)
    result.add_column("", no_wrap=True)


def _figures_of_two(row: Judged, labels: Sequence[str]) -> tuple[str | Text, ...]:
    (against,) = row.against
    ratio = against.estimate
    return (
        _side(row, 0),
        _side(row, 1),
        "" if ratio is None else f"{ratio:.2f}",
        f"{against.ratio.low:.2f} – {against.ratio.high:.2f}" if against.ratio else "",
        Text(short(against, labels), style=_style(against)),
    )


def _columns_of_many(result: Table, cell: CellComparison) -> None:
    result.add_column(cell.labels[0], justify="right", no_wrap=True)
    for label in cell.labels[1:]:
        result.add_column(label, justify="right", no_wrap=True)
        result.add_column("ratio", justify="right", no_wrap=True, style="bold")
        result.add_column("", no_wrap=True)


def _figures_of_many(row: Judged) -> Iterator[str | Text]:
    yield _side(row, 0)
    for each in row.against:
        yield _side(row, each.side)
        yield "" if each.estimate is None else f"{each.estimate:.2f}"
        yield Text(_WORDS.get(each.outcome, ""), style=_style(each))


def _side(row: Judged, side: int) -> str:
    value = row.medians[side]
    if value is None:
        return "too few" if row.too_few[side] else NOTHING
    return number(value, row.metric.is_count)


def _style(against: Against) -> str:
    shown = {RatioOutcome.REFERENCE_BETTER, RatioOutcome.SIDE_BETTER}
    return "green" if against.outcome in shown else "dim"
