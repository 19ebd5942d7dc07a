"""The bench's outcome for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from testbed.record.files import write_json
from testbed.report.numbers import NOTHING, listed, number, plural
from testbed.runs.bench.figures import ABSOLUTE, FIGURES
from testbed.runs.bench.plan import BenchPlan
from testbed.runs.bench.scaling import OwnerCost
from testbed.runs.bench.summary import Change, HopFigures, LoadFigures, Spread, SubjectFigures

FORMAT = 2
BENCH_JSON = "bench.json"


def write(
    folder: Path,
    plan: BenchPlan,
    provenance: Mapping[str, Any],
    result: Sequence[SubjectFigures],
    changes: Sequence[Change],
    owner: Sequence[OwnerCost],
) -> Path:
    """Write ``bench.json`` and return its path."""
    path = folder / BENCH_JSON
    content = {
        "format": FORMAT,
        "plan": asdict(plan),
        "provenance": dict(provenance),
        "subjects": [_subject(each) for each in result],
        "changes": [asdict(each) for each in changes],
        "owner": [asdict(each) for each in owner],
    }
    write_json(path, content)
    return path


def _subject(subject: SubjectFigures) -> dict[str, Any]:
    found = asdict(subject)
    for load, of in zip(found["loads"], subject.loads, strict=True):
        load["hops"] = [_hop(each) for each in of.hops]
    return found


def _hop(hop: HopFigures) -> dict[str, Any]:
    figures = {key: value for key, value in asdict(hop).items() if key != "way"}
    return {**hop.way._asdict(), **figures}


def table(result: Sequence[SubjectFigures]) -> Table:
    """Lay out one column per subject, with a group of rows for each number of callers."""
    laid = _blank([each.name for each in result])
    for index, load in enumerate(result[0].loads):
        loads = [each.loads[index] for each in result]
        laid.add_row(_heading(load.callers))
        for figure in FIGURES:
            spreads = [each.figures[figure.name] for each in loads]
            if any(spreads):
                cells = [_spread(each) for each in spreads]
                laid.add_row(f"  {figure.label}", figure.unit, *cells)
        laid.add_row("  errors", "calls", *(str(each.errors) for each in loads))
    laid.add_row(Text("of the stack", style="italic cyan"))
    laid.add_row("  memory per job", "bytes", *(_number(each.bytes_per_job) for each in result))
    laid.add_row("  idle CPU, of a core", "%", *(_percent(each.idle_cores) for each in result))
    return laid


def hops_table(subject: SubjectFigures) -> Table:
    """Lay out who said what to whom for each job, with columns for each number of callers."""
    # One space between columns: ten of them fit a hundred characters.
    laid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    laid.add_column(f"{subject.name}, for each job", no_wrap=True)
    loads = subject.loads
    for head in ("calls", "bytes", "entries"):
        for load in loads:
            laid.add_column(f"{head}\n{load.callers}", justify="right", no_wrap=True)
    for way in dict.fromkeys(hop.way for load in loads for hop in load.hops):
        hops = [_find(load, way) for load in loads]
        laid.add_row(
            str(way),
            *(_middle(each.calls_per_job if each else None) for each in hops),
            *(_middle(each.bytes_per_job if each else None) for each in hops),
            *(_middle(each.entries_per_call if each else None) for each in hops),
        )
    return laid


def changes_table(changes: Sequence[Change]) -> Table:
    """Lay out a column for each side that is held against another of its design."""
    laid = _blank([f"{each.name} ÷ {each.before}" for each in changes])
    for callers in changes[0].loads:
        laid.add_row(_heading(callers))
        for figure in ABSOLUTE:
            cells = [_spread(each.loads[callers][figure.name]) for each in changes]
            laid.add_row(f"  {figure.label}", "", *cells)
    laid.add_row(Text("of the stack", style="italic cyan"))
    laid.add_row("  memory per job", "", *(_number(each.memory) for each in changes))
    laid.add_row("  idle CPU", "", *(_number(each.idle) for each in changes))
    return laid


def owner_table(owner: Sequence[OwnerCost]) -> Table:
    """Lay out one column per number of jobs."""
    laid = _blank([f"{each.jobs:,}" for each in owner], "job owner, with jobs held")
    laid.add_row("CPU of a job's life", "µs", *(f"{each.life_us:.1f}" for each in owner))
    laid.add_row("CPU of a page of 50", "µs", *(f"{each.page_us:.1f}" for each in owner))
    return laid


def explanation(plan: BenchPlan) -> Iterator[str]:
    """Say what the figures are, a paragraph each."""
    levels = listed([f"{each}" for each in plan.callers])
    yield (
        f"{_rounds(plan.rounds)}. {levels} callers submit no-op jobs for {plan.seconds:g} s, each "
        "with one call in flight on a connection of its own, from a grpc.aio client of one process "
        "on the same machine; jobs/s runs from the first job's creation to the last one's end."
    )
    yield (
        "Ratios are to the echo server with as many callers in the same round: a bare grpc.aio "
        "server that answers a constant. It is one process, so that a design of several can do "
        "more calls than it where cores are free, and competes for them where they are not. CPU is "
        "of the servers alone, from a job's submit to its end."
    )
    yield (
        "Calls are counted by the processes that answer them, from before the client starts until "
        "after it has ended, idle polls included, the client's listing of its jobs left out. Each "
        "is two messages, a request and an answer; bytes are of both, serialized, without HTTP/2. "
        f"Entries are how many of them each call carried. {NOTHING} is what a side does not count."
    )


def _rounds(rounds: int) -> str:
    return "One round" if rounds == 1 else f"Medians of {plural(rounds, 'round')}, least–greatest"


def _blank(columns: Sequence[str], first: str = "") -> Table:
    laid = Table(box=None, pad_edge=False, header_style="bold")
    laid.add_column(first, no_wrap=True)
    laid.add_column("", style="dim", no_wrap=True)
    for each in columns:
        laid.add_column(each, justify="right", no_wrap=True)
    return laid


def _heading(callers: int) -> Text:
    return Text(f"{callers} in flight", style="italic cyan")


def _find(load: LoadFigures, way: object) -> HopFigures | None:
    return next((each for each in load.hops if each.way == way), None)


def _middle(value: Spread | None) -> str:
    return NOTHING if value is None else number(value.median)


def _spread(value: Spread | None) -> str:
    if value is None:
        return NOTHING
    middle, low, high = map(number, (value.median, value.least, value.greatest))
    return middle if low == high else f"{middle}\n{low}–{high}"


def _number(value: float | None) -> str:
    return "" if value is None else number(value)


def _percent(cores: float | None) -> str:
    return "" if cores is None else f"{cores * 100:.1f}"
