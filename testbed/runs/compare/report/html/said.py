"""What was said to whom: calls, bytes and entries of each hop for each finished job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from testbed.drive.figures import hops
from testbed.drive.figures.hops import Hop, Way
from testbed.drive.figures.trial import finished_in
from testbed.report.numbers import number, optional
from testbed.report.page import Block, Section, Table
from testbed.runs.compare.report.html.view import CellView, SeenTrial, View

COLUMNS = ("who calls whom", "side", "calls", "bytes", "entries", "entries per call")
NUMERIC = frozenset({2, 3, 4, 5})
ALL = "between processes, in all"
# Sides whose hops are shown at once; with more the table is long.
FEW = 3


@dataclass(frozen=True)
class _Row:
    """A way on one side: each figure is the median over its trials, for each finished job."""

    calls: float
    bytes: float | None = None
    entries: float | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        per_call = self.entries / self.calls if self.entries is not None and self.calls else None
        figures = (self.bytes, self.entries, per_call)
        return (number(self.calls), *map(optional, figures))


def section(view: View) -> Section:
    """Return the section of what the processes said to each other."""
    blocks = [block for cell in view.cells for block in _blocks(cell)]
    intro = [
        "Calls for each job that finished, counted by who answered them: a count is the same on "
        "any machine, whatever else that does. They are all calls between the scrapes around the "
        "measured time, also those that are of no job, as polls and listings. The figures are "
        "medians over the trials."
    ]
    notes = [
        "Each call is two messages, a request and an answer; bytes are of both, serialized, "
        "without what HTTP/2 adds. Entries are the jobs or executions that calls of many carried. "
        "A dash is what a side does not count. Health checks and scrapes are left out."
    ]
    if not blocks:
        intro = ["No trial has calls that its processes counted, so this part is empty."]
    return Section(
        "said", "What is said", "What was said to whom", intro, blocks, notes if blocks else ()
    )


def _blocks(cell: CellView) -> Iterator[Block]:
    """Give the totals and every hop in one table; of many sides the hops are shown on demand."""
    totals, by_hop = list(_totals(cell)), list(_hops(cell))
    if not totals:
        return
    if len(cell.labels) <= FEW:
        marked = frozenset(range(len(totals)))
        yield Block(cell.name, table=Table(COLUMNS, [*totals, *by_hop], NUMERIC, marked))
        return
    yield Block(cell.name, table=Table(COLUMNS[:4], [row[:4] for row in totals], NUMERIC))
    yield Block(behind=Table(COLUMNS, by_hop, NUMERIC), behind_name="Each hop of each side")


def _hops(cell: CellView) -> Iterator[tuple[str, ...]]:
    """Give a row for each way and side that has it; the name of a way stands once."""
    sides = [_by_way(cell.valid(side)) for side in cell.sides]
    for way in sorted({way for side in sides for way in side}, key=hops.place):
        having = [each for each in zip(cell.labels, sides, strict=True) if way in each[1]]
        for index, (label, side) in enumerate(having):
            yield ("" if index else str(way), label, *side[way].cells)


def _totals(cell: CellView) -> Iterator[tuple[str, ...]]:
    name = ALL
    for side in cell.sides:
        calls = cell.value("internal_calls_per_job", side)
        if calls is not None:
            row = _Row(calls, cell.value("internal_bytes_per_job", side))
            yield (name, cell.labels[side], *row.cells)
            name = ""


def _by_way(trials: Sequence[SeenTrial]) -> Mapping[Way, _Row]:
    """Return the figures of each way that any trial of a side called."""
    found = [each for trial in trials if (each := _of_trial(trial)) is not None]
    return {way: _row([each.get(way) for each in found]) for each in found for way in each}


def _of_trial(trial: SeenTrial) -> Mapping[Way, Hop] | None:
    _, window = trial.measured()
    recorded = trial.recorded
    found = hops.per_job(recorded.metrics, window, partial(finished_in, recorded.jobs))
    return None if found is None else {hop.way: hop for hop in found}


def _row(trials: Sequence[Hop | None]) -> _Row:
    """Sum up the trials of a side; one without a call of the way has none of it."""
    seen = [each for each in trials if each is not None]
    return _Row(
        median([each.calls if each is not None else 0.0 for each in trials]),
        _median(each.bytes for each in seen),
        _median(each.entries for each in seen),
    )


def _median(values: Iterator[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return median(known) if known else None
