"""The bench's outcome for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from testbed.record.files import write_json
from testbed.runs.bench.figures import Spread, SubjectFigures
from testbed.runs.bench.measure import ECHO
from testbed.runs.bench.scaling import OwnerCost
from testbed.runs.bench.session import BenchPlan
from testbed.stack.sides.side import label

FORMAT = 1
BENCH_JSON = "bench.json"


def write(
    folder: Path,
    plan: BenchPlan,
    provenance: Mapping[str, Any],
    result: Sequence[SubjectFigures],
    owner: Sequence[OwnerCost],
) -> Path:
    """Write ``bench.json`` and return its path."""
    path = folder / BENCH_JSON
    content = {
        "format": FORMAT,
        "plan": asdict(plan),
        "provenance": dict(provenance),
        "subjects": {each.name: asdict(each) for each in result},
        "owner": [asdict(each) for each in owner],
    }
    write_json(path, content)
    return path


def table(result: Sequence[SubjectFigures]) -> Table:
    """Lay out one column per subject."""
    laid = Table(box=None, pad_edge=False, header_style="bold")
    laid.add_column("", no_wrap=True)
    laid.add_column("", style="dim", no_wrap=True)
    for each in result:
        title = each.name if each.name == ECHO else label(each.name)
        laid.add_column(title, justify="right", no_wrap=True)
    for words, unit, cells in _rows(result):
        laid.add_row(words, unit, *cells)
    return laid


def owner_table(owner: Sequence[OwnerCost]) -> Table:
    """Lay out one column per number of jobs."""
    laid = Table(box=None, pad_edge=False, header_style="bold")
    laid.add_column("job owner, with jobs held", no_wrap=True)
    laid.add_column("", style="dim", no_wrap=True)
    for each in owner:
        laid.add_column(f"{each.jobs:,}", justify="right", no_wrap=True)
    laid.add_row("CPU of a job's life", "µs", *(f"{each.life_us:.1f}" for each in owner))
    laid.add_row("CPU of a page of 50", "µs", *(f"{each.page_us:.1f}" for each in owner))
    return laid


def explanation(plan: BenchPlan) -> str:
    """Say what the figures are."""
    return (
        f"{_rounds(plan.rounds)}. {plan.callers} callers submit no-op "
        f"jobs for {plan.seconds:g} s, each with one call in flight, from a grpc.aio client on the "
        "same machine; jobs/s runs from the first job's creation to the last one's end. Ratios are "
        "to the echo server's calls in the same round: a bare grpc.aio server that answers a "
        "constant. It is one process, so that a design of several can do more calls than it where "
        "cores are free, or contended for. CPU is of the servers alone, for each call and all that "
        "follows from it."
    )


def _rounds(rounds: int) -> str:
    return "One round" if rounds == 1 else f"Medians of {rounds} rounds, least–greatest below"


def _rows(result: Sequence[SubjectFigures]) -> list[tuple[str, str, list[str]]]:
    return [
        ("submit calls", "1/s", [_spread(each.submits_per_second, 0) for each in result]),
        ("  as a ratio to echo", "", [_spread(each.submit_ratio, 3) for each in result]),
        ("no-op jobs finished", "1/s", [_spread(each.jobs_per_second, 0) for each in result]),
        ("  as a ratio to echo", "", [_spread(each.job_ratio, 3) for each in result]),
        ("server CPU per call", "µs", [_spread(each.cpu_us_per_call, 0) for each in result]),
        ("memory per finished job", "bytes", [_number(each.bytes_per_job, 0) for each in result]),
        ("CPU while idle", "% of a core", [_percent(each.idle_cores) for each in result]),
        ("errors", "calls", [str(each.errors) for each in result]),
    ]


def _spread(value: Spread | None, digits: int) -> str:
    if value is None:
        return ""
    middle, low, high = (
        f"{each:,.{digits}f}" for each in (value.median, value.least, value.greatest)
    )
    return middle if value.least == value.greatest else f"{middle}\n{low}–{high}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _percent(cores: float | None) -> str:
    return "" if cores is None else f"{cores * 100:.1f}"
