"""Reads a trial's folder, or an experiment's, into values."""

from __future__ import annotations

from pathlib import Path

from testbed.recording import files
from testbed.recording.files import RecordingError
from testbed.recording.load import read_load
from testbed.recording.metrics import read_metrics
from testbed.recording.model import COMPLETE, ExperimentRecording, TrialRecording

__all__ = ["read_experiment", "read_load", "read_trial"]


def read_experiment(folder: Path) -> ExperimentRecording:
    """Read all of an experiment. Raises :class:`RecordingError` naming what is wrong."""
    raw = files.read_json(folder / files.EXPERIMENT)
    folders = sorted(path.parent for path in (folder / files.TRIALS).glob(f"*/{files.TRIAL}"))
    try:
        first, second = raw["plan"]["designs"]
        return ExperimentRecording(
            designs=(first, second),
            plan=raw["plan"],
            provenance=raw["provenance"],
            trials=tuple(map(read_trial, folders)),
            schedule=tuple(raw["schedule"]),
            ended=raw.get("ended", {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{folder / files.EXPERIMENT} is no experiment: {error!r}") from error


def read_trial(folder: Path) -> TrialRecording:
    """Read one trial. Of one that did not complete only the header, for its files may be cut."""
    header = files.read_header(folder)
    if header.status != COMPLETE:
        return TrialRecording(header)
    return TrialRecording(
        header=header,
        load=read_load(folder),
        jobs=files.read_jobs(folder),
        resources=files.read_resources(folder),
        metrics=read_metrics(folder),
    )
