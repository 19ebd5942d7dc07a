"""``metrics.jsonl.gz``: what the processes of a stack said of themselves during a drive.

One line of JSON for each scrape of one process: ``unix`` (the middle of the scrape), ``process``,
``took`` (seconds until the page was there) and ``text``, the lines of the page in the Prometheus
text format that differ from those of the scrape before. A process that did not answer has
``error`` in place of ``took`` and ``text``. The last line has what the scraper itself cost.
"""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from testbed.recording.files import RecordingError
from testbed.recording.series import MetricSeries, ProcessSeries, Series

METRICS = "metrics.jsonl.gz"
# Higher levels cost several times the CPU for a tenth of the size.
COMPRESSION = 1


class MetricLog:
    """``metrics.jsonl.gz``, appended to while a drive goes on. A context manager."""

    def __init__(self, folder: Path) -> None:
        self._file = gzip.open(  # noqa: SIM115 - closed by __exit__
            folder / METRICS, "wt", COMPRESSION, encoding="utf-8"
        )
        self._before: dict[str, frozenset[str]] = {}

    def answered(self, unix: float, process: str, took: float, page: str) -> None:
        """Append what a process answered."""
        lines = page.splitlines()
        before = self._before.get(process, frozenset())
        changed = [line for line in lines if line not in before]
        self._before[process] = frozenset(lines)
        self._append(unix=unix, process=process, took=round(took, 6), text="\n".join(changed))

    def failed(self, unix: float, process: str, error: str) -> None:
        """Append that a process did not answer, and why."""
        self._append(unix=unix, process=process, error=error)

    def cost(self, unix: float, cpu_seconds: float) -> None:
        """Append the CPU seconds that the scraper has used."""
        self._append(unix=unix, scraper_cpu_seconds=round(cpu_seconds, 6))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _append(self, unix: float, **fields: object) -> None:
        self._file.write(json.dumps({"unix": round(unix, 6), **fields}) + "\n")


def read_metrics(folder: Path) -> MetricSeries:
    """Read all scrapes of a trial; empty if there were none.

    Raises :class:`RecordingError` naming the file if it is damaged.
    """
    path = folder / METRICS
    readings: dict[str, _Reading] = {}
    cost: float | None = None
    try:
        for record in _records(path):
            if "process" in record:
                readings.setdefault(record["process"], _Reading()).take(record)
            else:
                cost = float(record["scraper_cpu_seconds"])
    except FileNotFoundError:
        return MetricSeries({})
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{path} is no record of scrapes: {error!r}") from error
    return MetricSeries({name: each.done() for name, each in readings.items()}, cost)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


class _Reading:
    """The series of one process while they are read."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._took: list[float] = []
        self._failures: list[tuple[float, str]] = []
        self._series: dict[str, tuple[list[int], list[float]]] = {}

    def take(self, record: Mapping[str, Any]) -> None:
        """Read one scrape; only what changed has lines in it."""
        if "error" in record:
            self._failures.append((float(record["unix"]), str(record["error"])))
            return
        index = len(self._times)
        self._times.append(float(record["unix"]))
        self._took.append(float(record["took"]))
        for line in record["text"].splitlines():
            if line.startswith("#"):
                continue
            key, _, value = line.rpartition(" ")
            indices, values = self._series.setdefault(key, ([], []))
            indices.append(index)
            values.append(float(value))

    def done(self) -> ProcessSeries:
        """Return what was read."""
        by_name: dict[str, list[Series]] = {}
        for key, (indices, values) in self._series.items():
            name, labels = _parse(key)
            by_name.setdefault(name, []).append(Series(labels, tuple(indices), tuple(values)))
        return ProcessSeries(tuple(self._times), tuple(self._took), tuple(self._failures), by_name)


@functools.lru_cache(maxsize=1 << 16)
def _parse(key: str) -> tuple[str, Mapping[str, str]]:
    """Return name and labels of a series; equal processes have equal ones, trial after trial."""
    for family in text_string_to_metric_families(f"{key} 0\n"):
        for sample in family.samples:
            return sample.name, sample.labels
    raise ValueError(f"{key!r} is no series")
