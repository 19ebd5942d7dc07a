"""Reads a trial's folder, or an experiment's, into values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram

from testbed.recording import files
from testbed.recording.files import RecordingError
from testbed.recording.model import (
    COMPLETE,
    CallRecording,
    ExperimentRecording,
    LoadRecording,
    TrialRecording,
    Window,
)

LOAD_FORMAT = 1


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
    )


def read_load(folder: Path) -> LoadRecording:
    """Read what the load generator wrote. Raises :class:`RecordingError`."""
    path = folder / files.LOAD
    raw = files.read_json(path)
    if raw.get("format") != LOAD_FORMAT:
        raise RecordingError(f"{path} has format {raw.get('format')!r}, not {LOAD_FORMAT}")
    accepted = files.read_accepted(folder)
    try:
        if raw["accepted"] != len(accepted):
            raise RecordingError(
                f"{path} counts {raw['accepted']} accepted jobs, {files.ACCEPTED} name "
                f"{len(accepted)}"
            )
        window = Window(float(raw["measured"]["from_unix"]), float(raw["measured"]["to_unix"]))
        calls = {name: _call(name, call) for name, call in raw["calls"].items()}
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{path} is no load recording: {error!r}") from error
    if window.seconds <= 0:
        raise RecordingError(f"{path} has no measured window: the warm-up took the whole drive")
    return LoadRecording(window, calls, frozenset(accepted))


def _call(name: str, raw: dict[str, Any]) -> CallRecording:
    errors = raw["errors"]
    return CallRecording(
        name=name,
        latencies=HdrHistogram.decode(raw["histogram"]),
        definite=int(errors.get("definite", 0)),
        indefinite=int(errors.get("indefinite", 0)),
        error_kinds=raw.get("error_kinds", {}),
    )
