"""The verdicts in plain words: how many, which, and on what they rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from testbed.report.numbers import change, listed, number, optional, plural, with_unit
from testbed.report.page import CellVerdicts, Table, VerdictText
from testbed.runs.compare.report.html.view import CellView, View
from testbed.runs.compare.verdicts import Judged
from testbed.stats import RatioOutcome

HEADLINES = (
    "requests_per_second",
    "jobs_per_second",
    "SubmitJob_p50_ms",
    "SubmitJob_p99_ms",
    "GetJobResult_p50_ms",
    "GetJobResult_p99_ms",
    "completion_p50_ms",
    "completion_p99_ms",
    "cpu_ms_per_job",
    "peak_rss_mib",
)
STYLES = {
    RatioOutcome.A_BETTER: "s0",
    RatioOutcome.B_BETTER: "s1",
    RatioOutcome.NO_DIFFERENCE: "none",
    RatioOutcome.NOT_ENOUGH_DATA: "few",
}


def style(row: Judged) -> str:
    """Return the style of a verdict; nothing for a metric that is not judged."""
    return STYLES[row.outcome] if row.outcome else ""


def short(row: Judged, labels: tuple[str, str]) -> str:
    """Write a verdict in two or three words."""
    match row.outcome:
        case RatioOutcome.A_BETTER:
            return f"{labels[0]} better"
        case RatioOutcome.B_BETTER:
            return f"{labels[1]} better"
        case RatioOutcome.NO_DIFFERENCE:
            return "no difference shown"
        case RatioOutcome.NOT_ENOUGH_DATA:
            return "not enough data"
        case _:
            return ""


def summary(view: View) -> str:
    """Say in a sentence how the verdicts are spread."""
    rows = [row for cell in view.cells for row in cell.compared.rows if row.verdict]
    counts = Counter(row.outcome for row in rows)
    if rows and counts[RatioOutcome.NOT_ENOUGH_DATA] == len(rows):
        return (
            f"For none of {plural(len(rows), 'judged metric')} is there enough data for a verdict."
        )
    first, second = view.labels
    parts = [
        f"{second} is better in {counts[RatioOutcome.B_BETTER]}",
        f"{first} in {counts[RatioOutcome.A_BETTER]}",
    ]
    if counts[RatioOutcome.A_BETTER] > counts[RatioOutcome.B_BETTER]:
        parts = [
            f"{first} is better in {counts[RatioOutcome.A_BETTER]}",
            f"{second} in {counts[RatioOutcome.B_BETTER]}",
        ]
    over = f" over {plural(len(view.cells), 'cell')} of the plan" if len(view.cells) > 1 else ""
    text = f"Of {plural(len(rows), 'judged metric')}{over}, {listed(parts)}."
    if same := counts[RatioOutcome.NO_DIFFERENCE]:
        text += f" In {same} no difference is shown."
    if few := counts[RatioOutcome.NOT_ENOUGH_DATA]:
        text += f" For {few} there is not enough data."
    return text


def verdicts(cell: CellView) -> CellVerdicts:
    """Give the metrics that matter most, each in a sentence."""
    rows = (cell.compared.row(name) for name in HEADLINES)
    return CellVerdicts(
        cell.name, [_verdict(row, cell.labels) for row in rows if row and row.verdict]
    )


def _verdict(row: Judged, labels: tuple[str, str]) -> VerdictText:
    return VerdictText(style(row), short(row, labels), _sentence(row, labels), _basis(row, labels))


def _sentence(row: Judged, labels: tuple[str, str]) -> str:
    label = f"{row.metric.label[0].upper()}{row.metric.label[1:]}"
    first, second = row.medians
    if row.ratio is None or first is None or second is None:
        return f"{label}: {_missing(row, labels)}."
    sides = f"{with_unit(first, row.metric.unit)} in {labels[0]}, {number(second)} in {labels[1]}"
    if row.outcome in {RatioOutcome.A_BETTER, RatioOutcome.B_BETTER}:
        return f"{label} is {change(row.ratio.estimate, *labels)}: {sides}."
    return f"{label}: {sides}."


def _missing(row: Judged, labels: tuple[str, str]) -> str:
    """Say why there is no ratio."""
    few = [label for label, too_few in zip(labels, row.too_few, strict=True) if too_few]
    if few:
        return f"too few calls or jobs in {listed(few)} for this percentile"
    paired = sum(bool(one and two) for one, two in zip(*row.values, strict=True))
    sides = f"{labels[0]} {optional(row.medians[0])}, {labels[1]} {optional(row.medians[1])}"
    if paired < 2:
        return (
            f"{sides} {row.metric.unit}; {plural(paired, 'block')} with both sides, two are needed"
        )
    return f"{sides} {row.metric.unit}; a ratio is not defined"


def _basis(row: Judged, labels: tuple[str, str]) -> str:
    if row.ratio is None:
        return ""
    ratio = row.ratio
    name = "/".join(label.split()[-1] for label in reversed(labels))
    text = (
        f"{name} {number(ratio.estimate)}, {ratio.confidence:.0%} interval "
        f"{number(ratio.low)} to {number(ratio.high)}, {plural(ratio.blocks, 'block')}"
    )
    if row.verdict and row.verdict.floor is not None:
        text += f"; noise floor ± {row.verdict.floor * 100:.2g} %"
    return f"{text}."


def matrix(cells: Iterable[CellView]) -> Table | None:
    """Lay the headline verdicts of several cells beside each other; ``None`` for a single cell."""
    shown = list(cells)
    if len(shown) < 2:
        return None
    names = [name for name in HEADLINES if any(cell.compared.row(name) for cell in shown)]
    rows = [
        (
            _label(shown, name),
            *(_matrix_cell(cell.compared.row(name), cell.labels) for cell in shown),
        )
        for name in names
    ]
    return Table(("", *(cell.name for cell in shown)), rows)


def _label(cells: list[CellView], name: str) -> str:
    return next(row.metric.label for cell in cells if (row := cell.compared.row(name)))


def _matrix_cell(row: Judged | None, labels: tuple[str, str]) -> str:
    if row is None or row.verdict is None:
        return ""
    ratio = f" ({number(row.ratio.estimate)})" if row.ratio else ""
    return f"{short(row, labels)}{ratio}"
