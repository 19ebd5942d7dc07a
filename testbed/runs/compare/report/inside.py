"""Writes what went on inside of the processes as ``inside.csv``, one row per figure.

The columns are trial, process, method, metric and value; the unit is in the metric's name. An
empty value has too few samples.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

from testbed.drive.figures import inside, warmup
from testbed.record.calls import Window
from testbed.record.model import TrialRecording
from testbed.record.reader import read_experiment

INSIDE_CSV = "inside.csv"
COLUMNS = ("trial", "process", "method", "metric", "value")

WindowOf = Callable[[TrialRecording], Window | None]


def measured(trial: TrialRecording) -> Window | None:
    """Return what every other figure of the trial is of: the drive without its warm-up."""
    return warmup.cut(trial.load).window if trial.load is not None else None


def write(folder: Path, window_of: WindowOf = measured) -> Path:
    """Read the trials of an experiment, write its ``inside.csv`` and return the path of that.

    ``window_of`` gives the window of a trial, ``None`` to leave it out. Raises ``RecordingError``
    if the experiment cannot be read.
    """
    return write_trials(folder, read_experiment(folder).trials, window_of)


def write_trials(
    folder: Path, trials: Iterable[TrialRecording], window_of: WindowOf = measured
) -> Path:
    """Do the same with trials that have been read."""
    path = folder / INSIDE_CSV
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for trial in trials:
            window = window_of(trial)
            if window is None or window.seconds <= 0:
                continue
            for row in inside.rows(trial, window):
                value = "" if row.value is None else f"{row.value:.6g}"
                writer.writerow((row.trial, row.process, row.method, row.metric, value))
    return path
