"""Writes a comparison as CSV and JSON.

``trials.csv`` is tidy, one row per trial and metric; ``comparison.csv`` has one row per metric;
``comparison.json`` has everything including plan and provenance.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from testbed.analysis.comparison import Comparison, Row
from testbed.analysis.trial import TrialFigures
from testbed.recording.files import write_json

FORMAT = 1
TRIALS_CSV = "trials.csv"
COMPARISON_CSV = "comparison.csv"
COMPARISON_JSON = "comparison.json"

TRIAL_COLUMNS = (
    "trial",
    "round",
    "position",
    "side",
    "design",
    "valid",
    "metric",
    "unit",
    "value",
    "samples",
    "note",
)


def write_all(
    folder: Path, comparison: Comparison, plan: Mapping[str, Any], provenance: Mapping[str, Any]
) -> None:
    """Write the three files into ``folder``."""
    _write_csv(folder / TRIALS_CSV, TRIAL_COLUMNS, trial_rows(comparison))
    _write_csv(folder / COMPARISON_CSV, comparison_columns(comparison), comparison_rows(comparison))
    write_json(folder / COMPARISON_JSON, as_json(comparison, plan, provenance))


def trial_rows(comparison: Comparison) -> Iterator[tuple[object, ...]]:
    """Give one row per trial and metric, in the columns :data:`TRIAL_COLUMNS`."""
    catalogue = [row.metric for row in comparison.rows]
    for trial in comparison.trials:
        header = trial.header
        for metric in catalogue:
            figure = trial.figures.get(metric.name)
            if figure is None:
                continue
            yield (
                header.number,
                header.round,
                header.position,
                header.side,
                header.design,
                int(trial.valid),
                metric.name,
                metric.unit,
                _cell(figure.value),
                figure.samples or "",
                "too few samples" if figure.too_few else "",
            )


def comparison_columns(comparison: Comparison) -> tuple[str, ...]:
    """Name the columns of ``comparison.csv``; sides are ``first`` and ``second``."""
    rounds = range(1, comparison.rounds + 1)
    return (
        "metric",
        "unit",
        "first_design",
        "second_design",
        "first_median",
        "second_median",
        "ratio_median",
        *(f"ratio_round_{number}" for number in rounds),
        "note",
    )


def comparison_rows(comparison: Comparison) -> Iterator[tuple[object, ...]]:
    """Give one row per metric; a ratio is second/first, empty where there is none."""
    for row in comparison.rows:
        yield (
            row.metric.name,
            row.metric.unit,
            *comparison.designs,
            _cell(row.median(0)),
            _cell(row.median(1)),
            _cell(row.ratio),
            *map(_cell, row.ratios),
            "too few samples" if row.too_few(0) or row.too_few(1) else "",
        )


def as_json(
    comparison: Comparison, plan: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything as plain data."""
    return {
        "format": FORMAT,
        "complete": comparison.complete,
        "designs": list(comparison.designs),
        "plan": dict(plan),
        "provenance": dict(provenance),
        "metrics": {row.metric.name: _metric(row) for row in comparison.rows},
        "trials": [_trial(trial) for trial in comparison.trials],
    }


def _metric(row: Row) -> dict[str, Any]:
    return {
        "label": row.metric.label,
        "unit": row.metric.unit,
        "median": [row.median(0), row.median(1)],
        "too_few_samples": [row.too_few(0), row.too_few(1)],
        "rounds": [[each.value if each else None for each in side] for side in row.figures],
        "ratio": {"median": row.ratio, "rounds": list(row.ratios)},
    }


def _trial(trial: TrialFigures) -> dict[str, Any]:
    header = trial.header
    return {
        "number": header.number,
        "round": header.round,
        "position": header.position,
        "side": header.side,
        "design": header.design,
        "started": header.started,
        "status": header.status,
        "valid": trial.valid,
        "problems": list(trial.problems),
        "warnings": list(trial.warnings),
        "lost_jobs": {job.job_id: job.problem for job in trial.lost},
        "figures": {
            name: {"value": each.value, "samples": each.samples, "too_few": each.too_few}
            for name, each in trial.figures.items()
        },
    }


def _cell(value: float | None) -> object:
    if value is None:
        return ""
    return int(value) if float(value).is_integer() else f"{value:.6g}"


def _write_csv(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
