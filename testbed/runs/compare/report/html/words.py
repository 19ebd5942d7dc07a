"""The verdicts in plain words: how many, which, and on what they rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup, escape

from testbed.report.numbers import change, listed, number, optional, plural, with_unit
from testbed.report.page import CellVerdicts, Table, VerdictText
from testbed.runs.compare.comparison import ratio_labels
from testbed.runs.compare.report.headlines import HEADLINES, short
from testbed.runs.compare.report.html.view import CellView, View
from testbed.runs.compare.verdicts import Against, Judged
from testbed.stats import RatioOutcome


def style(against: Against) -> str:
    """Return the style of a verdict; nothing for a metric that is not judged."""
    match against.outcome:
        case RatioOutcome.REFERENCE_BETTER:
            return "s0"
        case RatioOutcome.SIDE_BETTER:
            return f"s{against.side}"
        case RatioOutcome.NO_DIFFERENCE:
            return "none"
        case RatioOutcome.NOT_ENOUGH_DATA:
            return "few"
        case _:
            return ""


def summary(view: View) -> Iterator[str]:
    """Say in a sentence for each side how the verdicts are spread."""
    over = f" over {plural(len(view.cells), 'cell')} of the plan" if len(view.cells) > 1 else ""
    for index, label in enumerate(view.labels[1:]):
        judged = [
            row.against[index] for cell in view.cells for row in cell.compared.rows if row.is_judged
        ]
        if len(view.labels) == 2:
            yield _spread(judged, view.labels[0], label, over)
        else:
            yield f"{label} against {view.labels[0]}{over}: {_counted(judged)}."


def _counted(judged: Sequence[Against]) -> str:
    counts = Counter(each.outcome for each in judged)
    texts = {
        RatioOutcome.SIDE_BETTER: "better in",
        RatioOutcome.REFERENCE_BETTER: "worse in",
        RatioOutcome.NO_DIFFERENCE: "no difference shown in",
        RatioOutcome.NOT_ENOUGH_DATA: "not enough data on",
    }
    return listed([f"{text} {counts[each]}" for each, text in texts.items() if counts[each]])


def _spread(judged: Sequence[Against], first: str, second: str, over: str) -> str:
    counts = Counter(each.outcome for each in judged)
    if judged and counts[RatioOutcome.NOT_ENOUGH_DATA] == len(judged):
        return (
            f"For none of {plural(len(judged), 'judged metric')} is there enough data for a "
            "verdict."
        )
    better = sorted(
        [
            (counts[RatioOutcome.SIDE_BETTER], second),
            (counts[RatioOutcome.REFERENCE_BETTER], first),
        ],
        key=lambda each: -each[0],
    )
    text = (
        f"Of {plural(len(judged), 'judged metric')}{over}, {better[0][1]} is better in "
        f"{better[0][0]} and {better[1][1]} in {better[1][0]}."
    )
    if same := counts[RatioOutcome.NO_DIFFERENCE]:
        text += f" In {same} no difference is shown."
    if few := counts[RatioOutcome.NOT_ENOUGH_DATA]:
        text += f" For {few} there is not enough data."
    return text


def verdicts(cell: CellView) -> CellVerdicts:
    """Give the metrics that matter most: each in a sentence, or a table if sides are many."""
    rows = [row for name in HEADLINES if (row := cell.compared.row(name)) and row.is_judged]
    if len(cell.labels) > 2:
        return CellVerdicts(cell.name, [], overview(rows, cell.labels))
    return CellVerdicts(cell.name, [_verdict(row, cell.labels) for row in rows])


def overview(rows: Sequence[Judged], labels: Sequence[str]) -> Table:
    """Lay out a column for each side: its figure, its ratio to the first, and the verdict."""
    written = [
        (
            row.metric.label,
            row.metric.unit,
            optional(row.medians[0]),
            *(_side(row, each, labels) for each in row.against),
        )
        for row in rows
    ]
    return Table(("", "", *labels), written, frozenset({2}))


def _side(row: Judged, against: Against, labels: Sequence[str]) -> Markup:
    parts, ratio = [escape(optional(row.medians[against.side]))], against.ratio
    if ratio:
        reach = f"× {number(ratio.estimate)} ({number(ratio.low)} – {number(ratio.high)})"
        parts.append(Markup('<span class="soft">{}</span>').format(reach))
    words = Markup('<span class="verdict {}">{}</span>')
    parts.append(words.format(style(against), short(against, labels)))
    return Markup("<br>").join(parts)


def _verdict(row: Judged, labels: Sequence[str]) -> VerdictText:
    against = row.against[0]
    return VerdictText(
        style(against), short(against, labels), _sentence(row, labels), _basis(against, labels)
    )


def _sentence(row: Judged, labels: Sequence[str]) -> str:
    label = f"{row.metric.label[0].upper()}{row.metric.label[1:]}"
    (first, second), against = row.medians, row.against[0]
    if against.ratio is None or first is None or second is None:
        return f"{label}: {_missing(row, labels)}."
    sides = f"{with_unit(first, row.metric.unit)} in {labels[0]}, {number(second)} in {labels[1]}"
    if against.outcome in {RatioOutcome.REFERENCE_BETTER, RatioOutcome.SIDE_BETTER}:
        return f"{label} is {change(against.ratio.estimate, labels[0], labels[1])}: {sides}."
    return f"{label}: {sides}."


def _missing(row: Judged, labels: Sequence[str]) -> str:
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


def _basis(against: Against, labels: Sequence[str]) -> str:
    ratio = against.ratio
    if ratio is None:
        return ""
    text = (
        f"{ratio_labels(labels)[0]} {number(ratio.estimate)}, {ratio.confidence:.0%} interval "
        f"{number(ratio.low)} to {number(ratio.high)}, {plural(ratio.blocks, 'block')}"
    )
    if against.verdict and against.floor is not None:
        text += f"; noise floor ± {against.floor * 100:.2g} %"
    return f"{text}."


def matrix(cells: Iterable[CellView]) -> Table | None:
    """Lay the headline verdicts of several cells beside each other.

    ``None`` for a single cell, and for more than two sides, whose cells have a table each.
    """
    shown = list(cells)
    if len(shown) < 2 or len(shown[0].labels) > 2:
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


def _matrix_cell(row: Judged | None, labels: Sequence[str]) -> str:
    if row is None or not row.is_judged:
        return ""
    against = row.against[0]
    ratio = f" ({number(against.ratio.estimate)})" if against.ratio else ""
    return f"{short(against, labels)}{ratio}"
