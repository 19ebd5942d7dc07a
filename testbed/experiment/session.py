"""A whole comparison: all trials in order, into one folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.errors import TestbedError
from testbed.experiment.interrupts import Interrupted
from testbed.experiment.plan import Plan
from testbed.experiment.trial import Tools, Trial
from testbed.recording import files, reader
from testbed.recording.model import COMPLETE, TrialHeader

NEEDED_BYTES = 200 << 20
LATEST = "latest"


class NoRoom(TestbedError):
    """The disk has too little room for an experiment."""


@dataclass(frozen=True)
class Ended:
    """How the driving ended: all planned trials run, or stopped before, and why."""

    trials: int
    interrupted: bool = False
    stopped: str = ""


def new_folder(results: Path, name: str) -> Path:
    """Make ``results/<name>/<UTC>`` and return it. Raises :class:`NoRoom`."""
    (results / name).mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(results).free
    if free < NEEDED_BYTES:
        raise NoRoom(
            f"{results} has {free >> 20} MiB of free disk, {NEEDED_BYTES >> 20} MiB are needed",
            "remove old results or make room",
        )
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        folder = results / name / f"{stamp}{suffix}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{results / name / stamp} and its like are taken")


def point_latest(folder: Path) -> Path:
    """Let ``results/latest`` point to ``results/<name>/<UTC>``; return the link."""
    results = folder.parent.parent
    link = results / LATEST
    temporary = results / f".{LATEST}.{folder.name}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.relative_to(results))
    temporary.replace(link)
    return link


def run(plan: Plan, provenance: Mapping[str, Any], folder: Path, tools: Tools) -> Ended:
    """Run the trials of ``plan`` into ``folder``.

    Stops at the first trial that fails or loses a job, unless the plan says to keep going.
    """
    files.write_json(
        folder / files.EXPERIMENT,
        {"format": 1, "plan": plan.as_data(), "provenance": dict(provenance)},
    )
    try:
        return _run_trials(plan, folder, tools)
    finally:
        # The trials stop their stacks; this is for a signal that came between two steps of that.
        with tools.interrupts.shield():
            for design in set(plan.designs):
                tools.stacks.down(design)


def _run_trials(plan: Plan, folder: Path, tools: Tools) -> Ended:
    done = 0
    try:
        for which in plan.trials():
            path = folder / files.TRIALS / which.folder
            title = f"round {which.round}, design {which.design.upper()}"
            tools.progress.trial(which.number, title)
            header = Trial(plan, which, path, tools).run()
            done += 1
            problem = verdict(header, path)
            tools.progress.trial_done(problem.partition("\n")[0] or "complete")
            if problem and not plan.keep_going:
                return Ended(done, stopped=f"trial {which.number}, {title}: {problem}")
    except Interrupted:
        return Ended(done, interrupted=True, stopped="interrupted")
    except OSError as error:
        return Ended(done, stopped=f"{error}: make room and start again")
    return Ended(done)


def verdict(header: TrialHeader, folder: Path) -> str:
    """Say in one line why a trial cannot be used, or nothing."""
    if header.status != COMPLETE:
        return header.error
    try:
        lost = [job.job_id for job in reader.read_trial(folder).jobs if job.lost]
    except files.RecordingError as error:
        return str(error)
    return f"{len(lost)} accepted jobs lost, {lost[0]} among them" if lost else ""
