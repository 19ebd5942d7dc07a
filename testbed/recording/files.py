"""The files of a trial's folder, written and read; times and metrics have modules of their own.

=====================  ===========================================================
``trial.json``         which trial it was and how it ended
``load.json``          written by the load generator: what was offered, errors, the window
``calls.hlog``         written by the load generator: the times of calls, by whole second
``accepted-*.txt``     written by the load generator: accepted job ids
``resources.csv``      CPU seconds, memory and throttling of each process over time
``jobs.csv``           every job as the audit found it
``metrics.jsonl.gz``   what each process said of itself, second by second
``locust.log``         what the load generator said
=====================  ===========================================================
"""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from testbed.errors import TestbedError
from testbed.recording.model import JobRow, ResourceRow, TrialHeader

TRIAL = "trial.json"
LOAD = "load.json"
CALLS = "calls.hlog"
ACCEPTED = "accepted-*.txt"
RESOURCES = "resources.csv"
JOBS = "jobs.csv"
LOCUST_LOG = "locust.log"
EXPERIMENT = "experiment.json"
TRIALS = "trials"

_RESOURCE_FIELDS = [each.name for each in dataclasses.fields(ResourceRow)]
# Recordings from before budgets have no columns for throttling.
_FIRST_RESOURCE_FIELDS = _RESOURCE_FIELDS[:5]
_JOB_FIELDS = [each.name for each in dataclasses.fields(JobRow)]


class RecordingError(TestbedError):
    """A file of a recording is missing or damaged; the message names the file."""


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value``, replacing the file in one step so that no reader sees half of it."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(json.dumps(value, indent=2, default=str) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises :class:`RecordingError` naming the file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordingError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise RecordingError(f"{path} holds no JSON object")
    return value


def write_header(folder: Path, header: TrialHeader) -> None:
    """Write ``trial.json``."""
    write_json(folder / TRIAL, dataclasses.asdict(header))


def read_header(folder: Path) -> TrialHeader:
    """Read ``trial.json``."""
    raw = read_json(folder / TRIAL)
    try:
        return TrialHeader(**{**raw, "endpoints": tuple(raw.get("endpoints", ()))})
    except TypeError as error:
        raise RecordingError(f"{folder / TRIAL} is no trial header: {error}") from error


class ResourceLog:
    """``resources.csv``, appended to row by row while a drive goes on. A context manager."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / RESOURCES).open("w", newline="", encoding="utf-8")
        self._csv = csv.writer(self._file)
        self._csv.writerow(_RESOURCE_FIELDS)

    def append(self, rows: Iterable[ResourceRow]) -> None:
        """Append rows; what is not known is an empty cell."""
        self._csv.writerows(
            (
                f"{row.unix:.6f}",
                row.role,
                row.process,
                f"{row.cpu_seconds:.6f}",
                row.rss_bytes,
                None if row.throttled_seconds is None else f"{row.throttled_seconds:.6f}",
                row.periods,
                row.throttled_periods,
            )
            for row in rows
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def read_resources(folder: Path) -> tuple[ResourceRow, ...]:
    """Read ``resources.csv`` in the order of its rows."""
    return tuple(
        ResourceRow(
            float(row["unix"]),
            row["role"],
            row["process"],
            float(row["cpu_seconds"]),
            int(row["rss_bytes"]),
            float(row["throttled_seconds"]) if row.get("throttled_seconds") else None,
            _optional(row.get("periods", "")),
            _optional(row.get("throttled_periods", "")),
        )
        for row in _rows(folder / RESOURCES, _RESOURCE_FIELDS, _FIRST_RESOURCE_FIELDS)
    )


def write_jobs(folder: Path, jobs: Iterable[JobRow]) -> None:
    """Write ``jobs.csv``; an absent time is an empty cell."""
    with (folder / JOBS).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(_JOB_FIELDS)
        for job in jobs:
            values = {name: getattr(job, name) for name in _JOB_FIELDS}
            rows.writerow({**values, "accepted": int(job.accepted)}.values())


def read_jobs(folder: Path) -> tuple[JobRow, ...]:
    """Read ``jobs.csv`` in the order of its rows."""
    return tuple(
        JobRow(
            job_id=row["job_id"],
            accepted=row["accepted"] == "1",
            state=row["state"],
            attempt=int(row["attempt"]),
            create_us=_optional(row["create_us"]),
            start_us=_optional(row["start_us"]),
            finish_us=_optional(row["finish_us"]),
            worker=row["worker"],
            failure=row["failure"],
            problem=row["problem"],
        )
        for row in _rows(folder / JOBS, _JOB_FIELDS)
    )


def read_accepted(folder: Path) -> list[str]:
    """Return the ids that the load generator was told were accepted, one for each answer."""
    return [
        job_id
        for path in sorted(folder.glob(ACCEPTED))
        for job_id in path.read_text(encoding="utf-8").split()
    ]


def _optional(cell: str) -> int | None:
    return int(cell) if cell else None


def _rows(path: Path, *accepted: list[str]) -> list[dict[str, str]]:
    """Read the rows of a table whose columns are one of ``accepted``, the newest first."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames not in accepted:
                raise RecordingError(f"{path} has columns {reader.fieldnames}, not {accepted[0]}")
            return list(reader)
    except FileNotFoundError:
        raise RecordingError(f"{path} is missing") from None
