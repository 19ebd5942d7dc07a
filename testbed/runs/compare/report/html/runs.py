"""Several experiments side by side: in what they differ, and each metric in each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from testbed.report import charts
from testbed.report.numbers import listed, plural
from testbed.report.page import Alert, Block, RatioGroup, RatioRow, Ratios, RunsPage, Section, Table
from testbed.runs.compare.comparison import ratio_labels
from testbed.runs.compare.report.html import differences, ratios
from testbed.runs.compare.report.html.differences import Fact
from testbed.runs.compare.report.html.view import CellView, View
from testbed.runs.compare.verdicts import Against, Judged, cell_name
from testbed.stack.sides.side import labels as labels_of


@dataclass(frozen=True)
class _Run:
    """An experiment with a name that no other has."""

    name: str
    view: View


def page(views: Sequence[View]) -> RunsPage:
    """Return the page of several experiments."""
    found = named(views)
    facts = differences.facts(views)
    return RunsPage(
        title=listed([run.name for run in found]),
        summary=_summary(found),
        alerts=list(_alerts(facts, found)),
        sections=[
            _differences(found, facts),
            _figures(found),
            _everything(found, facts),
        ],
        footer="Worked out from the recordings of these runs by testbed report.",
    )


def named(views: Sequence[View]) -> list[_Run]:
    """Name each experiment by its plan and folder, and number those that share both."""
    names = [f"{view.name} {view.folder.resolve().name}" for view in views]
    return [
        _Run(name if names.count(name) == 1 else f"{name} #{index}", view)
        for index, (name, view) in enumerate(zip(names, views, strict=True), start=1)
    ]


def _summary(found: Sequence[_Run]) -> str:
    shared = [key for key, cells in _cells(found).items() if len(cells) == len(found)]
    if not shared:
        return f"{plural(len(found), 'run')}, with no cell and no sides that all of them have."
    return f"{plural(len(found), 'run')}, each worked out on its own, on one axis for each cell."


def _alerts(facts: Sequence[Fact], found: Sequence[_Run]) -> Iterator[Alert]:
    if kinds := differences.kinds(facts):
        yield Alert(
            f"The runs differ in {listed(kinds)}.",
            "A difference between their figures may come from that.",
        )
    for run in found:
        void = sum(not trial.figures.valid for trial in run.view.trials())
        missing = len(run.view.compared.missing)
        parts = [plural(void, "void trial")] if void else []
        parts += [f"{plural(missing, 'planned trial')} without a valid attempt"] if missing else []
        if parts:
            yield Alert(f"{run.name}:", f"{listed(parts)}. Its own report has the reasons.")


def _differences(found: Sequence[_Run], facts: Sequence[Fact]) -> Section:
    differing = [fact for fact in facts if fact.differs]
    same = len(facts) - len(differing)
    if not differing:
        text = ["Machine, lock, commit, settings and plan are the same in all runs."]
        return Section("differences", "Differences", "What differs between the runs", text)
    kinds = differences.kinds(facts)
    agreed = [kind for kind in differences.CONDITIONS if kind not in kinds]
    intro = [f"The same in all runs: {listed(agreed)}."] if agreed else []
    rows = [(fact.kind, fact.name, *fact.values) for fact in differing]
    table = Table(("", "", *(run.name for run in found)), rows)
    notes = [f"{plural(same, 'other fact')} are the same; all are at the end of this page."]
    return Section(
        "differences",
        "Differences",
        "What differs between the runs",
        intro,
        [Block(table=table, wide=True)],
        notes,
    )


_Key = tuple[tuple[str, ...], str]


def _cells(found: Sequence[_Run]) -> dict[_Key, list[tuple[_Run, CellView]]]:
    """Put the same cells of all runs together: the same sides at the same levels."""
    cells: dict[_Key, list[tuple[_Run, CellView]]] = {}
    for run in found:
        for cell in run.view.cells:
            key = (cell.compared.sides, cell_name(cell.compared.factors))
            cells.setdefault(key, []).append((run, cell))
    return cells


def _figures(found: Sequence[_Run]) -> Section:
    cells = _cells(found)
    blocks = [
        _block(key, own, f"r{index}")
        for index, (key, own) in enumerate(cells.items())
        if len(own) > 1
    ]
    alone = [f"{_words(key)} ({own[0][0].name})" for key, own in cells.items() if len(own) == 1]
    notes = [f"In one run only, and so in its own report: {'; '.join(alone)}."] if alone else []
    notes += list(_sharing(found))
    return Section(
        "figures",
        "Figures",
        "Each metric in each run",
        [
            "The ratio of each side to the first within each run, with its interval and verdict. "
            "Ratios of two runs may be held against each other if their conditions are "
            "the same but for the machine's speed; bare figures only if all conditions are."
        ]
        if blocks
        else [],
        blocks,
        notes,
    )


def _words(key: _Key) -> str:
    """Write the sides and levels of a cell."""
    return f"{listed(list(labels_of(key[0])))}, {key[1]}".removesuffix(", ")


def _sharing(found: Sequence[_Run]) -> Iterator[str]:
    """Say which runs of different sides share one on the same machine, and what that is worth."""
    for index, one in enumerate(found):
        for two in found[index + 1 :]:
            sides = [set(each.view.compared.sides) for each in (one, two)]
            shared = sorted(sides[0] & sides[1])
            if (
                not shared
                or sides[0] == sides[1]
                or not differences.same_machine(one.view, two.view)
            ):
                continue
            yield (
                f"{one.name} and {two.name} share {listed(shared)} on one machine. What the others "
                "are to it may be held against each other as ratios, each with its interval; bare "
                "figures may not, and there is no verdict between runs: what lies between them may "
                "be the hour. One run of all these sides gives it."
            )


def _block(key: _Key, cells: Sequence[tuple[_Run, CellView]], slug: str) -> Block:
    labels = labels_of(key[0])
    names = dict.fromkeys(row.metric.name for _, cell in cells for row in cell.compared.rows)
    scale = ratios.axis([row for _, cell in cells for row in cell.compared.rows])
    several = len(labels) > 2
    groups = []
    for index, metric in enumerate(names):
        rows: list[RatioRow] = []
        for at, (run, row, against) in enumerate(_rows(cells, metric)):
            drawn = ratios.ratio_row(row, against, labels, scale, f"ratio-{slug}-{index}-{at}")
            name = f"{run.name}, {labels[against.side]}" if several else run.name
            rows.append(replace(drawn, label=name))
            label = row.metric.label
        groups.append(RatioGroup(label, rows))
    heads = (labels[0], "side") if several else labels
    ratio = f"side/{labels[0]}" if several else ratio_labels(labels)[0]
    table = Ratios(heads, charts.strip_axis(scale), ratio, "95%", groups, "Run")
    return Block(_words(key), ratios=table)


def _rows(
    cells: Sequence[tuple[_Run, CellView]], metric: str
) -> Iterator[tuple[_Run, Judged, Against]]:
    for run, cell in cells:
        if row := cell.compared.row(metric):
            yield from ((run, row, each) for each in row.against)


def _everything(found: Sequence[_Run], facts: Sequence[Fact]) -> Section:
    rows = [(fact.kind, fact.name, *fact.values) for fact in facts]
    marked = frozenset(index for index, fact in enumerate(facts) if fact.differs)
    table = Table(("", "", *(run.name for run in found)), rows, marked=marked)
    return Section(
        "provenance",
        "Provenance",
        "Provenance",
        ["What is not the same in all runs is in bold."],
        [Block(table=table, wide=True)],
    )
