"""The files of a trial's folder, written and read; times and metrics have modules of their own.

=====================  ===========================================================
``trial.json``         which trial it was and how it ended
``load.json``          written by the load generator: what was offered, errors, the window
``calls.hlog``         written by the load generator: the times of calls, by whole second
``accepted-*.txt``     written by the load generator: accepted job ids
``resources.csv``      CPU seconds, memory and throttling of each process over time
``jobs.csv``           every job as the audit found it
``metrics.jsonl.gz``   what each process reported, second by second
``servers.jsonl.gz``   what each database of the stack did, second by second
``locust.log``         output of the load generator
=====================  ===========================================================
"""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from testbed.record.damage import finite, from_json, numbered, reading, whole
from testbed.record.model import JobRow, ResourceRow, TrialHeader
from testbed.record.typed import typed

TRIAL = "trial.json"
LOAD = "load.json"
CALLS = "calls.hlog"
ACCEPTED = "accepted-*.txt"
RESOURCES = "resources.csv"
JOBS = "jobs.csv"
EXPERIMENT = "experiment.json"
TRIALS = "trials"

Made = TypeVar("Made")

_RESOURCE_FIELDS = [each.name for each in dataclasses.fields(ResourceRow)]
# Recordings from before budgets have no columns for throttling.
_FIRST_RESOURCE_FIELDS = _RESOURCE_FIELDS[:5]
_JOB_FIELDS = [each.name for each in dataclasses.fields(JobRow)]


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value``, replacing the file in one step so that no reader sees half of it."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(json.dumps(value, indent=2, default=str) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises :class:`RecordingError` naming the file."""
    with reading(path):
        return as_object(from_json(path.read_text(encoding="utf-8")))


def as_object(value: Any) -> dict[str, Any]:
    """Return a value of JSON that is an object. Raises ``ValueError`` if it is none."""
    if not isinstance(value, dict):
        raise ValueError("it holds no JSON object")
    return value


def write_header(folder: Path, header: TrialHeader) -> None:
    """Write ``trial.json``."""
    write_json(folder / TRIAL, dataclasses.asdict(header))


def read_header(folder: Path) -> TrialHeader:
    """Read ``trial.json``."""
    path = folder / TRIAL
    raw = read_json(path)
    with reading(path):
        header: TrialHeader = typed(raw, TrialHeader)
        header.check()
        return header


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
    return _table(
        folder / RESOURCES,
        lambda row: ResourceRow(
            row("unix", finite),
            row("role"),
            row("process", _filled),
            row("cpu_seconds", _never_negative(finite)),
            row("rss_bytes", _never_negative(whole)),
            row("throttled_seconds", _optional(_never_negative(finite))),
            row("periods", _optional(_never_negative(whole))),
            row("throttled_periods", _optional(_never_negative(whole))),
        ),
        _RESOURCE_FIELDS,
        _FIRST_RESOURCE_FIELDS,
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
    return _table(
        folder / JOBS,
        lambda row: JobRow(
            job_id=row("job_id", _filled),
            accepted=row("accepted", _is_one),
            state=row("state"),
            attempt=row("attempt", _never_negative(whole)),
            create_us=row("create_us", _optional(_never_negative(whole))),
            start_us=row("start_us", _optional(_never_negative(whole))),
            finish_us=row("finish_us", _optional(_never_negative(whole))),
            worker=row("worker"),
            failure=row("failure"),
            problem=row("problem"),
        ),
        _JOB_FIELDS,
    )


def read_accepted(folder: Path) -> list[str]:
    """Return the ids of the accepted submits that were answered, one for each answer."""
    return [job_id for path in sorted(folder.glob(ACCEPTED)) for job_id in _words(path)]


def _words(path: Path) -> list[str]:
    with reading(path):
        return path.read_text(encoding="utf-8").split()


def _optional(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a conversion for which an empty cell is ``None``."""
    return lambda cell: convert(cell) if cell else None


def _never_negative(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a conversion of what is never negative: counts, amounts, times since 1970."""

    def converted(cell: str) -> Any:
        amount = convert(cell)
        if amount < 0:
            raise ValueError("it is negative")
        return amount

    return converted


def _filled(cell: str) -> str:
    if not cell:
        raise ValueError("it is empty")
    return cell


def _is_one(cell: str) -> bool:
    if cell not in {"0", "1"}:
        raise ValueError("neither 0 nor 1")
    return cell == "1"


class _Row:
    """The cells of a row, converted when they are called for by the name of their column."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells

    def __call__(self, column: str, convert: Callable[[str], Any] = str) -> Any:
        cell = self._cells.get(column, "")
        try:
            return convert(cell)
        except ValueError as error:
            raise ValueError(f"column {column} is {cell!r:.40}: {error}") from error


def _table(path: Path, make: Callable[[_Row], Made], *accepted: list[str]) -> tuple[Made, ...]:
    """Read a table whose columns are one of ``accepted``, the newest first, row by row."""
    with reading(path) as place, path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(numbered(file, place), strict=True)
        columns = next(rows, [])
        if columns not in accepted:
            raise ValueError(f"has columns {', '.join(columns)}, not {', '.join(accepted[0])}")
        return tuple(make(_Row(_named(columns, cells))) for cells in rows)


def _named(columns: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(columns):
        raise ValueError(f"has {len(cells)} cells, not {len(columns)}")
    return dict(zip(columns, cells, strict=True))
