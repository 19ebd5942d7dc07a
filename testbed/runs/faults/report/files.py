"""Writes the figures under faults as ``faults.csv`` and ``faults.json``.

``faults.csv`` is tidy: a row per trial, faults, method and metric. ``faults`` is one fault by its
number, such as ``#3``, or a group of them. ``faults.json`` has everything, the violations with
their slices and the seconds of the drive included.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from testbed.record.files import write_json
from testbed.runs.faults.figures.groups import Group, Spread, by_kind, by_state, everything
from testbed.runs.faults.figures.model import SECOND, FaultFigures, MeasuredFault
from testbed.runs.faults.report import words
from testbed.runs.faults.report.run import FaultRun, labels

FORMAT = 1
FAULTS_CSV = "faults.csv"
FAULTS_JSON = "faults.json"
COLUMNS = ("trial", "side", "faults", "count", "method", "metric", "unit", "value")

# Metric, unit and value of a group of faults.
_Figure = tuple[str, str, float | None]


def write_files(folder: Path, figures: Sequence[FaultFigures], run: FaultRun) -> None:
    """Write both files into ``folder``."""
    with (folder / FAULTS_CSV).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for label, each in zip(labels(figures), figures, strict=True):
            writer.writerows((label, each.side, *row) for row in csv_rows(each))
    write_json(folder / FAULTS_JSON, as_json(figures, run))


def csv_rows(figures: FaultFigures) -> Iterator[tuple[object, ...]]:
    """Give the rows of a trial without its name and side."""
    every = everything(figures.faults)
    for name, value in asdict(figures.jobs).items():
        yield (every.name, len(every.faults), "", f"jobs_{name}", "jobs", _cell(value))
    for method, service in figures.service.items():
        for name, found in (("during", service.during), ("outside", service.outside)):
            yield (every.name, len(every.faults), method, f"calls_{name}", "calls", found.calls)
            share = _cell(found.share)
            yield (every.name, len(every.faults), method, f"answered_{name}", "share", share)
    groups = [every, *by_state(figures.faults), *by_kind(figures.faults)]
    groups += [Group(f"#{fault.id} {fault.name}", (fault,)) for fault in figures.faults]
    for group in groups:
        for method in figures.methods:
            for metric, unit, value in _service(group, method):
                yield (group.name, len(group.faults), method, metric, unit, _cell(value))
        for metric, unit, value in _rest(group):
            yield (group.name, len(group.faults), "", metric, unit, _cell(value))
    for error in figures.errors:
        sort = "definite" if error.definite else "indefinite"
        kind = f"{error.code} {error.reason}".strip()
        for name, times in (("during", error.during), ("outside", error.outside)):
            metric = f"ended {kind} ({sort}) {name}"
            yield (every.name, len(every.faults), error.method, metric, "calls", times)


def _service(group: Group, method: str) -> Iterator[_Figure]:
    down, available = group.downtime(method), group.availability(method)
    yield "no_service_total", "s", down.total_s
    yield "no_service_longest", "s", down.longest_s
    yield "no_service_unsure", "s", down.unsure_s
    yield "calls", "calls", available.calls
    yield "answered", "share", available.share


def _rest(group: Group) -> Iterator[_Figure]:
    if held := group.held():
        for name, value in zip(("held", "went_on", "never", "unknown"), held, strict=True):
            yield f"recovery_{name}", "jobs", value
    for name, unit, found in (
        ("run_again_after", "s", group.rerun()),
        ("backlog_at_end", "jobs", group.at_end()),
        ("drained_after", "s", group.drained()),
    ):
        yield f"{name}_count", "", found.count if found else 0
        if found:
            yield f"{name}_median", unit, found.median
            yield f"{name}_min", unit, found.low
            yield f"{name}_max", unit, found.high
    yield "not_drained", "faults", group.undrained()
    rates = [fault.rates for fault in group.faults if fault.rates]
    for name, ratios in (
        ("rate_during", Spread.of(each for one in rates if (each := one.during_ratio) is not None)),
        ("rate_after", Spread.of(each for one in rates if (each := one.after_ratio) is not None)),
    ):
        if ratios:
            yield f"{name}_by_before_median", "ratio", ratios.median
            yield f"{name}_by_before_min", "ratio", ratios.low
    losses = [fault.loss for fault in group.faults if fault.loss]
    if losses:
        yield "state_jobs_lost", "jobs", sum(each.jobs for each in losses)
        yield "state_results_lost", "results", sum(each.results for each in losses)
        shares = [each.share for each in losses if each.share is not None]
        yield "state_jobs_lost_share_max", "share", max(shares, default=None)


def _cell(value: float | None) -> object:
    if value is None:
        return ""
    return int(value) if float(value).is_integer() else f"{value:.6g}"


def as_json(figures: Sequence[FaultFigures], run: FaultRun) -> dict[str, Any]:
    """Return everything as plain data."""
    return {
        "format": FORMAT,
        "name": run.name,
        "started": run.when,
        "seed": run.seed,
        "command": run.command,
        "plan": dict(run.plan),
        "provenance": dict(run.provenance),
        "trials": [
            {"trial": label, **_trial(each)}
            for label, each in zip(labels(figures), figures, strict=True)
        ],
    }


def _trial(figures: FaultFigures) -> dict[str, Any]:
    return {
        "side": figures.side,
        "title": figures.title,
        "seconds": figures.seconds,
        "jobs": asdict(figures.jobs),
        "calls_without_end": figures.unended,
        "jobs_without_times": figures.untimed,
        "backlog_sampled": figures.sampled,
        "lost_jobs_unexplained": figures.unexplained,
        "methods": {
            name: {**asdict(each), "share_during": each.during.share}
            | {"share_outside": each.outside.share}
            for name, each in figures.service.items()
        },
        "faults": [_fault(each, figures.begun_us) for each in figures.faults],
        "errors": [asdict(each) for each in figures.errors],
        "violations_by_rule": dict(figures.verdict.found),
        "violations": [
            {
                "rule": each.rule,
                "subject": each.subject,
                "text": each.text,
                "slice": [list(line) for line in words.evidence(each, figures.begun_us)],
            }
            for each in figures.verdict.violations
        ],
        "databases": [asdict(each) for each in figures.servers],
        "by_second": asdict(figures.timeline),
    }


def _fault(fault: MeasuredFault, begun_us: int) -> dict[str, Any]:
    def at(moment: int) -> float:
        return (moment - begun_us) / SECOND

    return {
        "id": fault.id,
        "kind": fault.kind,
        "targets": list(fault.targets),
        "details": dict(fault.details),
        "begun": at(fault.begun_us),
        "healed": at(fault.ended_us),
        "until": at(fault.until_us),
        "no_service": {name: asdict(each) for name, each in fault.downtime.items()},
        "calls": {name: _with_share(each) for name, each in fault.availability.items()},
        "recovery": asdict(fault.recovery) if fault.recovery else None,
        "backlog": asdict(fault.backlog) if fault.backlog else None,
        "lost": _with_share(fault.loss) if fault.loss else None,
        "jobs_per_s": asdict(fault.rates) if fault.rates else None,
    }


def _with_share(value: Any) -> Mapping[str, Any]:
    return {**asdict(value), "share": value.share}
