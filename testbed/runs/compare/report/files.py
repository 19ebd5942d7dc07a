"""Writes a comparison as CSV and JSON.

``trials.csv`` is tidy, one row per trial and metric; ``comparison.csv`` has one row per cell and
metric; both have a column for each factor of the plan. ``comparison.json`` has everything including
plan and provenance.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.drive.figures.trial import TrialFigures
from testbed.drive.figures.warmup import Cut
from testbed.record.files import write_json
from testbed.runs.compare.comparison import Comparison, block_ratios, ratio_of
from testbed.runs.compare.report import facts
from testbed.runs.compare.verdicts import Judged

FORMAT = 2
TRIALS_CSV = "trials.csv"
COMPARISON_CSV = "comparison.csv"
COMPARISON_JSON = "comparison.json"

TRIAL_COLUMNS = ("trial", "attempt", "block", "position", "side", "design")
CUT_COLUMNS = ("warmup_s", "warmup_cut")
FIGURE_COLUMNS = ("valid", "metric", "unit", "value", "samples", "note")
COMPARISON_COLUMNS = (
    "metric",
    "unit",
    "first_design",
    "second_design",
    "first_median",
    "second_median",
    "ratio",
    "ratio_low",
    "ratio_high",
    "blocks",
    "noise_floor",
    "verdict",
    "note",
)


def write_all(
    folder: Path, comparison: Comparison, plan: Mapping[str, Any], provenance: Mapping[str, Any]
) -> None:
    """Write the three files into ``folder``."""
    factors = factors_of(comparison)
    columns = (*TRIAL_COLUMNS, *factors, *CUT_COLUMNS, *FIGURE_COLUMNS)
    _write_csv(folder / TRIALS_CSV, columns, trial_rows(comparison, factors))
    columns = (*factors, *COMPARISON_COLUMNS)
    _write_csv(folder / COMPARISON_CSV, columns, comparison_rows(comparison, factors))
    write_json(folder / COMPARISON_JSON, as_json(comparison, plan, provenance))


def factors_of(comparison: Comparison) -> tuple[str, ...]:
    """Name the factors of the plan; each is a column."""
    return tuple(dict.fromkeys(name for cell in comparison.cells for name in cell.factors))


def trial_rows(comparison: Comparison, factors: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Give one row per trial and metric; a trial that failed has none."""
    catalogue = {row.metric.name: row.metric for cell in comparison.cells for row in cell.rows}
    for trial in comparison.trials:
        header = trial.header
        levels = [header.plan_cell.get(name, "") for name in factors]
        for metric in catalogue.values():
            figure = trial.figures.get(metric.name)
            if figure is None:
                continue
            yield (
                *(header.number, header.attempt, header.block, header.position),
                *(header.side, header.design),
                *levels,
                *((_cell(round(cut.warmup, 3)), cut.kind) if (cut := trial.cut) else ("", "")),
                *(int(trial.valid), metric.name, metric.unit, _cell(figure.value)),
                figure.samples or "",
                "too few samples" if figure.too_few else "",
            )


def comparison_rows(comparison: Comparison, factors: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Give one row per cell and metric; a ratio is second/first, empty where there is none."""
    for cell in comparison.cells:
        levels = [cell.factors.get(name, "") for name in factors]
        for row in cell.rows:
            interval, verdict = row.ratio, row.verdict
            yield (
                *levels,
                *(row.metric.name, row.metric.unit, *cell.designs),
                *map(_cell, row.medians),
                _cell(ratio_of(row)),
                *((_cell(interval.low), _cell(interval.high)) if interval else ("", "")),
                interval.blocks if interval else "",
                _cell(verdict.floor) if verdict else "",
                verdict.outcome.value if verdict else "",
                "too few samples" if any(row.too_few) else "",
            )


def as_json(
    comparison: Comparison, plan: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything as plain data."""
    return {
        "format": FORMAT,
        "complete": comparison.complete,
        "ended": dict(comparison.ended),
        "designs": list(comparison.designs),
        "plan": dict(plan),
        "provenance": dict(provenance),
        "cells": [
            {
                "factors": dict(cell.factors),
                "designs": list(cell.designs),
                "facts": [each.as_data() for each in facts.of_cell(cell, comparison, plan)],
                "metrics": {row.metric.name: _metric(row) for row in cell.rows},
            }
            for cell in comparison.cells
        ],
        "trials": [_trial(trial) for trial in comparison.trials],
    }


def _metric(row: Judged) -> dict[str, Any]:
    return {
        "label": row.metric.label,
        "unit": row.metric.unit,
        "median": list(row.medians),
        "too_few_samples": list(row.too_few),
        "blocks": [[list(block) for block in side] for side in row.values],
        "ratio": {
            "estimate": ratio_of(row),
            "interval": [row.ratio.low, row.ratio.high] if row.ratio else None,
            "blocks": list(block_ratios(row)),
        },
        "verdict": {"outcome": row.verdict.outcome, "words": row.verdict.words}
        if row.verdict
        else None,
    }


def _trial(trial: TrialFigures) -> dict[str, Any]:
    header = trial.header
    return {
        "number": header.number,
        "attempt": header.attempt,
        "block": header.block,
        "position": header.position,
        "side": header.side,
        "design": header.design,
        "cell": dict(header.plan_cell),
        "started": header.started,
        "status": header.status,
        "valid": trial.valid,
        "measured": _cut(trial.cut) if trial.cut else None,
        "problems": list(trial.problems),
        "warnings": list(trial.warnings),
        "lost_jobs": {job.job_id: job.problem for job in trial.lost},
        "figures": {
            name: {"value": each.value, "samples": each.samples, "too_few": each.too_few}
            for name, each in trial.figures.items()
        },
    }


def _cut(cut: Cut) -> dict[str, Any]:
    return {
        "from_unix": cut.window.from_unix,
        "to_unix": cut.window.to_unix,
        "warmup_seconds": round(cut.warmup, 3),
        "cut": cut.kind,
        "why": cut.why,
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
