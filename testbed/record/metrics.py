"""``metrics.jsonl.gz``: what the processes of a stack reported during a drive.

One line of JSON for each scrape of one process: ``unix`` (the middle of the scrape), ``process``,
``took`` (seconds until the page was there) and ``text``, the lines of the page in the Prometheus
text format that differ from those of the scrape before. A process that did not answer has
``error`` in place of ``took`` and ``text``. The last line has what the scraper itself cost.
"""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Self, TypedDict

from prometheus_client.parser import text_string_to_metric_families

from testbed.record.damage import finite, from_json, numbered, reading
from testbed.record.series import BUCKET_LABEL, MetricSeries, ProcessSeries, Series
from testbed.record.typed import typed

METRICS = "metrics.jsonl.gz"
# Of the same form: what the databases of a stack said of themselves.
SERVERS = "servers.jsonl.gz"
# Higher levels cost several times the CPU for a tenth of the size.
COMPRESSION = 1


class MetricLog:
    """``metrics.jsonl.gz``, appended to while a drive goes on. A context manager."""

    def __init__(self, folder: Path, name: str = METRICS) -> None:
        self._file = gzip.open(  # noqa: SIM115 - closed by __exit__
            folder / name, "wt", COMPRESSION, encoding="utf-8"
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


def read_servers(folder: Path) -> MetricSeries:
    """Read what databases said of themselves; a stack that has none leaves nothing."""
    return read_metrics(folder, SERVERS) if (folder / SERVERS).exists() else MetricSeries()


def read_metrics(folder: Path, name: str = METRICS) -> MetricSeries:
    """Read all scrapes of a trial. Raises :class:`RecordingError` naming the file.

    The scraper writes its own cost last, so a record without that has lost its end.
    """
    path = folder / name
    readings: dict[str, _Reading] = {}
    with reading(path) as place, gzip.open(path, "rt", encoding="utf-8") as file:
        lines = numbered(iter(file), place)
        for line in lines:
            record = from_json(line)
            if "process" not in record:
                cost: float = typed(record, _Cost)["scraper_cpu_seconds"]
                break
            readings.setdefault(record["process"], _Reading()).take(typed(record, _Scrape))
        else:
            raise ValueError("its last line, what the scraper cost, is missing")
        if next(lines, None) is not None:
            raise ValueError("something follows what the scraper cost")
        return MetricSeries({name: each.done() for name, each in readings.items()}, cost)


class _Cost(TypedDict):
    scraper_cpu_seconds: float


class _Process(TypedDict):
    unix: float
    process: str


class _Scrape(_Process, total=False):
    """A line: ``error``, or ``took`` and ``text``."""

    error: str
    took: float
    text: str


class _Reading:
    """The series of one process while they are read."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._took: list[float] = []
        self._failures: list[tuple[float, str]] = []
        self._series: dict[str, tuple[list[int], list[float]]] = {}

    def take(self, record: _Scrape) -> None:
        """Read one scrape; only what changed has lines in it."""
        if "error" in record:
            self._failures.append((record["unix"], record["error"]))
            return
        index = len(self._times)
        self._times.append(record["unix"])
        self._took.append(record["took"])
        for line in record["text"].splitlines():
            if line.startswith("#"):
                continue
            key, _, value = line.rpartition(" ")
            indices, values = self._series.setdefault(key, ([], []))
            indices.append(index)
            values.append(finite(value))

    def done(self) -> ProcessSeries:
        """Return what was read."""
        by_name: dict[str, list[Series]] = {}
        for key, (indices, values) in self._series.items():
            name, labels = _parse(key)
            if name.endswith("_bucket"):
                float(labels[BUCKET_LABEL])  # damage is to show here and not in the analysis
            by_name.setdefault(name, []).append(Series(labels, tuple(indices), tuple(values)))
        return ProcessSeries(tuple(self._times), tuple(self._took), tuple(self._failures), by_name)


@functools.lru_cache(maxsize=1 << 16)
def _parse(key: str) -> tuple[str, Mapping[str, str]]:
    """Return name and labels of a series; equal processes have equal ones, trial after trial."""
    for family in text_string_to_metric_families(f"{key} 0\n"):
        for sample in family.samples:
            return sample.name, sample.labels
    raise ValueError(f"{key!r} is no series")
