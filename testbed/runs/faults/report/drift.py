"""What grew over a fault run, as ``drift.csv`` and as a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from rich.table import Table

from testbed.runs.faults.figures.drift import Drift
from testbed.stack.sides.side import label

DRIFT_CSV = "drift.csv"
_MIB = 1 << 20

Drifts = Mapping[str, Sequence[Drift]]


def write(folder: Path, drifts: Drifts) -> None:
    """Write ``drift.csv``: a row for each side, process and gauge."""
    names = [each.name for each in fields(Drift)]
    with (folder / DRIFT_CSV).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["side", *names])
        for side, found in drifts.items():
            rows.writerows([side, *asdict(each).values()] for each in found)


def table(drifts: Drifts) -> Table:
    """Lay it out: what each process had in the second and the last quarter, and its slope."""
    result = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "process", "since its start", "what", "2nd quarter", "last", "per hour"):
        left = column in {"", "process", "what"}
        result.add_column(column, justify="left" if left else "right", no_wrap=True)
    for side, found in drifts.items():
        for each in found:
            result.add_row(
                label(side),
                each.process,
                f"{each.seconds / 60:.0f} min",
                each.gauge + (" (MiB)" if each.unit == "bytes" else ""),
                _number(each, each.second),
                _number(each, each.last),
                f"{_scaled(each, each.per_hour):+.1f}",
            )
    return result


def _scaled(drift: Drift, value: float) -> float:
    return value / _MIB if drift.unit == "bytes" else value


def _number(drift: Drift, value: float) -> str:
    return f"{_scaled(drift, value):.1f}" if drift.unit == "bytes" else f"{value:.0f}"
