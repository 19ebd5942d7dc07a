"""Writes a comparison as CSV and JSON.

``trials.csv`` is tidy, one row per trial and metric; ``comparison.csv`` has one per cell, metric
and side but the first, which is the reference; both have a column for each factor of the plan.
``side`` is in both the place of the side in the plan, from 0. ``comparison.json`` has everything
including plan and provenance.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.drive.figures.trial import TrialFigures
from testbed.drive.figures.warmup import Cut
from testbed.record.files import write_json
from testbed.runs.compare.comparison import Comparison
from testbed.runs.compare.report import facts
from testbed.runs.compare.verdicts import Against, Judged

FORMAT = 3
TRIALS_CSV = "trials.csv"
COMPARISON_CSV = "comparison.csv"
COMPARISON_JSON = "comparison.json"

TRIAL_COLUMNS = ("trial", "attempt", "block", "position", "side", "design")
CUT_COLUMNS = ("warmup_s", "warmup_cut")
FIGURE_COLUMNS = ("valid", "metric", "unit", "value", "samples", "note")
COMPARISON_COLUMNS = (
    "metric",
    "unit",
    "side",
    "reference",
    "other",
    "reference_median",
    "other_median",
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
    """Give a row per cell, metric and other; a ratio is other/reference, empty if there is none."""
    for cell in comparison.cells:
        levels = [cell.factors.get(name, "") for name in factors]
        for row in cell.rows:
            for each in row.against:
                yield (
                    *levels,
                    *(row.metric.name, row.metric.unit),
                    *(each.side, cell.sides[0], cell.sides[each.side]),
                    *(_cell(row.medians[side]) for side in (0, each.side)),
                    *_judged(each),
                    "too few samples" if row.too_few[0] or row.too_few[each.side] else "",
                )


def _judged(against: Against) -> tuple[object, ...]:
    interval, verdict = against.ratio, against.verdict
    return (
        _cell(against.estimate),
        *((_cell(interval.low), _cell(interval.high)) if interval else ("", "")),
        interval.blocks if interval else "",
        _cell(verdict.floor) if verdict else "",
        verdict.outcome.value if verdict else "",
    )


def as_json(
    comparison: Comparison, plan: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything as plain data."""
    return {
        "format": FORMAT,
        "complete": comparison.complete,
        "ended": dict(comparison.ended),
        "sides": list(comparison.sides),
        "plan": dict(plan),
        "provenance": dict(provenance),
        "cells": [
            {
                "factors": dict(cell.factors),
                "sides": list(cell.sides),
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
        "against_reference": [_against(each) for each in row.against],
    }


def _against(against: Against) -> dict[str, Any]:
    interval, verdict = against.ratio, against.verdict
    return {
        "side": against.side,
        "ratio": {
            "estimate": against.estimate,
            "interval": [interval.low, interval.high] if interval else None,
            "degrees": interval.degrees if interval else None,
            "blocks": list(against.by_block),
        },
        "noise_floor": against.floor,
        "verdict": {"outcome": verdict.outcome, "words": verdict.words} if verdict else None,
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
