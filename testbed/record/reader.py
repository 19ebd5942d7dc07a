"""Reads a trial's folder, or an experiment's, into values.

A complete trial has written everything, so whatever of it is missing was lost afterwards: that is
damage, and no figure is worked out of the rest (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from testbed.record import files
from testbed.record.damage import RecordingError, reading
from testbed.record.formats import with_sides
from testbed.record.load import read_load
from testbed.record.metrics import METRICS, read_metrics, read_servers
from testbed.record.model import (
    COMPLETE,
    ExperimentRecording,
    JobRow,
    LoadRecording,
    TrialHeader,
    TrialRecording,
)
from testbed.record.series import MetricSeries
from testbed.record.shapes import Provenance, RecordedPlan
from testbed.record.typed import typed

__all__ = [
    "read_complete",
    "read_experiment",
    "read_head",
    "read_load",
    "read_trial",
    "trial_folders",
]


class _Scheduled(TypedDict):
    number: int


class _EndRecord(TypedDict, total=False):
    reason: str
    needless: tuple[int, ...]


class _Whole(TypedDict):
    plan: RecordedPlan
    provenance: Provenance
    schedule: tuple[_Scheduled, ...]


class Experiment(_Whole, total=False):
    """What ``experiment.json`` holds; ``resumed`` has the provenance of each time it went on."""

    format: int
    ended: _EndRecord
    resumed: list[Mapping[str, Any]]


def read_head(folder: Path) -> Experiment:
    """Read ``experiment.json``. Raises :class:`RecordingError` naming it and the key."""
    path = folder / files.EXPERIMENT
    raw = files.read_json(path)
    with reading(path):
        head: Experiment = typed(with_sides(raw), Experiment)
        if len(head["plan"]["sides"]) < 2:
            raise ValueError("plan.sides does not name two")
        if not head["schedule"]:
            raise ValueError("schedule has no trial")
        return head


def read_experiment(folder: Path) -> ExperimentRecording:
    """Read all of an experiment. Raises :class:`RecordingError` naming what is wrong."""
    head = read_head(folder)
    recorded = ExperimentRecording(
        sides=tuple(head["plan"]["sides"]),
        plan=head["plan"],
        provenance=head["provenance"],
        trials=tuple(map(read_trial, trial_folders(folder))),
        schedule=head["schedule"],
        ended=head.get("ended", {}),
        source=str(folder / files.EXPERIMENT),
    )
    _check_scheduled(folder, recorded)
    return recorded


def trial_folders(folder: Path) -> list[Path]:
    """Return the folders of the trials of an experiment that have a header, in order."""
    return sorted(path.parent for path in (folder / files.TRIALS).glob(f"*/{files.TRIAL}"))


def _check_scheduled(folder: Path, recorded: ExperimentRecording) -> None:
    """Raise :class:`RecordingError` for a trial that is none of the schedule."""
    numbers = {each["number"] for each in recorded.schedule}
    sides = len(recorded.sides)
    for path, trial in zip(trial_folders(folder), recorded.trials, strict=True):
        header = trial.header
        if header.number not in numbers or header.side >= sides or header.block > len(numbers):
            raise RecordingError(f"{path / files.TRIAL} is of no trial of the schedule")


def read_trial(folder: Path) -> TrialRecording:
    """Read one trial. Of one that did not complete only the header, for its files may be cut."""
    header = files.read_header(folder)
    if header.status != COMPLETE:
        return TrialRecording(header)
    return read_complete(folder, header)


def read_complete(folder: Path, header: TrialHeader) -> TrialRecording:
    """Read all that a trial wrote which ran to its end, whatever it was driven for.

    Raises :class:`RecordingError` naming the file that is damaged, or that lacks what another has.
    """
    load = read_load(folder)
    jobs = files.read_jobs(folder)
    _check_jobs(folder, load, jobs)
    resources = files.read_resources(folder)
    metrics = read_metrics(folder)
    _check_processes(folder, header, metrics)
    return TrialRecording(header, load, jobs, resources, metrics, read_servers(folder))


def _check_jobs(folder: Path, load: LoadRecording, jobs: Iterable[JobRow]) -> None:
    """Raise :class:`RecordingError` unless each accepted job has one row, and no others say so.

    The audit writes a row for every one of them, whatever became of it. One without a row was not
    looked up, and is no job that was not lost.
    """
    path = folder / files.JOBS
    seen: set[str] = set()
    for job in jobs:
        if job.job_id in seen:
            raise RecordingError(f"{path} has the job {job.job_id} twice")
        if job.accepted != (job.job_id in load.accepted_ids):
            raise RecordingError(
                f"{path} and {folder / files.ACCEPTED} do not agree on whether the job "
                f"{job.job_id} was accepted"
            )
        seen.add(job.job_id)
    if missing := sorted(load.accepted_ids - seen):
        raise RecordingError(
            f"{path} has no row for {len(missing)} of {len(load.accepted_ids)} accepted jobs, one "
            f"of them {missing[0]}"
        )


def _check_processes(folder: Path, header: TrialHeader, metrics: MetricSeries) -> None:
    """Raise :class:`RecordingError` if a process has no scrape: one that fails is recorded too."""
    if missing := sorted(set(header.scraped) - set(metrics.processes)):
        raise RecordingError(f"{folder / METRICS} has nothing of {', '.join(missing)}")
