"""Where the time of a call goes: the client's mean time, taken apart with the processes' clocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from testbed.drive.figures import breakdown as parts
from testbed.drive.figures.breakdown import Breakdown, Segment, breakdown
from testbed.report import charts, svg
from testbed.report.charts import Bar, BarPart
from testbed.report.numbers import number
from testbed.report.page import Block, Chart, Key, Section, Table
from testbed.runs.compare.report.html.view import CellView, View

WIDTH = 760.0
UNIT = "ms"
KINDS = {
    parts.LATE: "sent late",
    parts.CLIENT_SIDE: "client, and network to the entry",
    parts.ENTRY: "the process that clients call",
    parts.BATCH: "waiting for a shared call",
    parts.STORE: "the store, and the way to it",
    parts.NETWORK: "between processes",
    parts.PEER: "other processes",
}
JOB = {"waiting for a slot": 3, "from start to end": 0}


@dataclass(frozen=True)
class _Mean:
    """A stacked bar before it is drawn: the segments of one method of one side."""

    name: str
    side: int
    segments: Sequence[Segment]

    @property
    def total(self) -> float:
        return sum(each.milliseconds for each in self.segments)


def section(view: View) -> Section:
    """Return the section of the inside view."""
    blocks: list[Block] = []
    notes: list[tuple[str, str]] = []
    for cell in view.cells:
        sides = [_breakdowns(cell, side) for side in cell.sides]
        if block := _block(cell, sides):
            blocks.append(block)
        for label, found in zip(cell.labels, sides, strict=True):
            where = f"{cell.name}, {label}".removeprefix(", ")
            notes += [(where, note) for each in found for note in _notes(each)]
    intro = [
        "The mean time that clients measured, taken apart with what every process says of its own "
        "work. The parts add up to the client's mean; each is the median over the trials."
    ]
    if not blocks:
        intro = ["The trials have no record of the processes' own metrics, so this part is empty."]
    elif notes:
        table = Table(("", ""), list(dict.fromkeys(notes)))
        blocks.append(Block(behind=table, behind_name="What these parts do not know"))
    return Section(
        "inside",
        "Where time goes",
        "Where the time goes",
        intro,
        blocks,
    )


def _breakdowns(cell: CellView, side: int) -> list[Breakdown]:
    return [breakdown(trial.recorded, trial.measured()[1]) for trial in cell.valid(side)]


def _notes(found: Breakdown) -> Iterable[str]:
    yield from found.notes
    for method in found.methods:
        yield from (f"{method.method}: {note}" for note in method.notes)


def _block(cell: CellView, sides: Sequence[Sequence[Breakdown]]) -> Block | None:
    calls = [each for side in cell.sides for each in _methods(sides[side], side)]
    jobs = [_Mean("a job", side, each) for side in cell.sides if (each := _job(sides[side]))]
    if not calls:
        return None
    order = {method: index for index, method in enumerate(dict.fromkeys(m.name for m in calls))}
    calls.sort(key=lambda each: (order[each.name], each.side))
    styles = {kind: index for index, kind in enumerate(KINDS)}
    drawn = [_chart(f"inside-{cell.slug}", "Mean time of a call", cell, calls, styles)]
    used = {each.kind for mean in calls for each in mean.segments}
    legend = [Key(svg.key(styles[kind]), name) for kind, name in KINDS.items() if kind in used]
    return Block(
        cell.name, legend=legend, charts=drawn, behind=_table([*calls, *jobs], cell.labels)
    )


def _methods(found: Sequence[Breakdown], side: int) -> list[_Mean]:
    """Return the median of each segment over the trials, method by method."""
    segments: dict[str, list[Sequence[Segment]]] = {}
    for each in found:
        for method in each.methods:
            segments.setdefault(method.method, []).append(method.segments)
    return [_Mean(name, side, _middle(trials)) for name, trials in segments.items()]


def _job(found: Sequence[Breakdown]) -> list[Segment]:
    return _middle([each.job for each in found if each.job])


def _middle(trials: Sequence[Sequence[Segment]]) -> list[Segment]:
    values: dict[tuple[str, str], list[float]] = {}
    for segments in trials:
        for each in segments:
            values.setdefault((each.label, each.kind), []).append(each.milliseconds)
    return [Segment(label, median(found), kind) for (label, kind), found in values.items()]


def _chart(
    name: str, title: str, cell: CellView, means: Sequence[_Mean], styles: Mapping[str, int]
) -> Chart:
    bars = [
        Bar(
            f"{mean.name} {cell.labels[mean.side]}",
            mean.side,
            [
                BarPart(each.label, max(0.0, each.milliseconds), styles[each.kind])
                for each in mean.segments
            ],
            f"{number(mean.total)} {UNIT}",
        )
        for mean in means
    ]
    description = ", ".join(f"{bar.label} {bar.total}" for bar in bars)
    return Chart(charts.bars(WIDTH, name, title, description, bars, UNIT))


def _table(means: Sequence[_Mean], labels: Sequence[str]) -> Table:
    rows = [
        (mean.name, labels[mean.side], each.label, number(each.milliseconds))
        for mean in means
        for each in mean.segments
    ]
    return Table(("of", "", "part", "mean, ms"), rows, frozenset({3}))
