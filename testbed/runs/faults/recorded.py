"""Reads what a fault run left: its plan, and of each side the history, the jobs and the metrics.

Of a side that ran to its end everything is there, or it is damaged; of another there is what it
left (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from testbed.record import files, reader
from testbed.record.damage import RecordingError, reading
from testbed.record.history import files as history_files
from testbed.record.history.model import History, Submitted
from testbed.record.metrics import METRICS, read_metrics, read_servers
from testbed.record.model import COMPLETE, JobRow, TrialHeader
from testbed.record.series import MetricSeries
from testbed.record.shapes import Provenance, RecordedTraffic
from testbed.record.typed import typed
from testbed.runs.faults.recorded_audit import CLIENT
from testbed.runs.faults.workload import FAULTS, INJECTOR


class _Plan(TypedDict):
    name: str
    runtime: str
    seed: int
    seconds: float
    health: float
    traffic: RecordedTraffic


class RecordedFaultPlan(_Plan, total=False):
    """A fault plan as plain data; what is not declared here is only listed.

    Before there were sides a plan had ``designs``.
    """

    sides: list[str]
    designs: list[str]
    workers: int


class RecordedFaultRun(TypedDict):
    """What ``fault-run.json`` holds."""

    plan: RecordedFaultPlan
    titles: Mapping[str, str]
    provenance: Provenance


class _Carried(TypedDict):
    schedule: list[Any]


@dataclass(frozen=True)
class Left:
    """What a side left."""

    history: History
    jobs: tuple[JobRow, ...] = ()
    metrics: MetricSeries = field(default_factory=MetricSeries)
    servers: MetricSeries = field(default_factory=MetricSeries)


def read_head(path: Path) -> RecordedFaultRun:
    """Read ``fault-run.json``. Raises :class:`RecordingError` naming it and the key."""
    raw = files.read_json(path)
    with reading(path):
        head: RecordedFaultRun = typed(raw, RecordedFaultRun)
        if not sides_of(head["plan"]):
            raise ValueError("plan.sides names none")
        return head


def sides_of(plan: RecordedFaultPlan) -> list[str]:
    """Return the sides that were planned, as they are written."""
    return plan.get("sides", plan.get("designs", []))


def read_side(folder: Path, header: TrialHeader) -> Left:
    """Read what a side left.

    Raises :class:`RecordingError` or :class:`HistoryError` naming the file that is damaged, or that
    lacks what another has.
    """
    if header.status != COMPLETE:
        return _what_there_is(folder)
    for who in (INJECTOR, CLIENT):
        _require_history(folder, who)
    history = history_files.read(folder)
    for path in history.unfinished:
        raise RecordingError(f"{path} is damaged: its last line, where it ends, is missing")
    trial = reader.read_complete(folder, header)
    _check_history(folder, history, files.read_accepted(folder))
    return Left(history, trial.jobs, trial.metrics, trial.servers)


def _what_there_is(folder: Path) -> Left:
    """Read a side that was ended before it had written everything."""
    return Left(
        history_files.read(folder),
        files.read_jobs(folder) if (folder / files.JOBS).exists() else (),
        read_metrics(folder) if (folder / METRICS).exists() else MetricSeries(),
        read_servers(folder),
    )


def _require_history(folder: Path, who: str) -> None:
    if not any(folder.glob(f"history-{who}.jsonl*")):
        raise RecordingError(f"{folder / f'history-{who}.jsonl'} is missing")


def _check_history(folder: Path, history: History, accepted: Sequence[str]) -> None:
    """Raise :class:`RecordingError` if jobs or faults that other files have are not in it."""
    answered = {each.answer for each in history.operations if isinstance(each.asked, Submitted)}
    if missing := sorted(set(accepted) - answered):
        raise RecordingError(
            f"{folder / history_files.PATTERN} has no answer to the submits of {len(missing)} of "
            f"{len(accepted)} accepted jobs, one of them {missing[0]}"
        )
    path = folder / FAULTS
    raw = files.read_json(path)
    with reading(path):
        done: _Carried = typed(raw, _Carried)
        if len(done["schedule"]) != len(history.faults):
            raise ValueError(
                f"it has {len(done['schedule'])} faults, the history {len(history.faults)}"
            )
