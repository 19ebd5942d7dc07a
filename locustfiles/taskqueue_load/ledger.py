"""Adds up the parts of all processes and writes the record of a test.

``load.json`` and ``calls.hlog`` are written here and nowhere else.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from taskqueue_load.tally import HIGHEST_US, Part, SecondCounts

FORMAT = 2
LOAD, CALLS = "load.json", "calls.hlog"
_SPOOL = ".calls.spool"
# How far in seconds the parts of processes may lie apart; what is later gets a line of its own.
_LAG = 30
_US_PER_MS = 1000

Counts = dict[int, int]


class Ledger:
    """The counts of a whole test. Times wait on disk, for they are many; without a folder, nowhere.

    Histograms are made when the test is over: to make them takes time that calls would wait for.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.total = SecondCounts()
        self._rows: dict[int, SecondCounts] = defaultdict(SecondCounts)
        self._error_kinds: dict[str, Counter[str]] = defaultdict(Counter)
        self._accepted = 0
        self._cut = False
        self._spool: IO[str] | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._spool = (folder / _SPOOL).open("w+", encoding="utf-8")

    def add(self, part: Part) -> None:
        """Add what a process has counted. Raises ``OSError`` once if its times cannot be kept."""
        for second, row in part.rows.items():
            self.total.add(row)
            if self._spool is not None:
                self._rows[second].add(row)
        for name, kinds in part.error_kinds.items():
            self._error_kinds[name].update(kinds)
        self._accepted += part.accepted
        if self._spool is None or self._cut:
            return
        try:
            for (second, tag), counts in part.times.items():
                self._spool.write(json.dumps([second, tag, list(counts.items())]) + "\n")
        except OSError:
            # What comes later would follow half a line.
            self._cut = True
            raise

    @property
    def error_kinds(self) -> Counter[str]:
        """How often calls failed, by kind of error, over all names."""
        return sum(self._error_kinds.values(), Counter())

    def write(self, facts: Mapping[str, Any]) -> Path | None:
        """Write the record, each file in one step; return its path, ``None`` without a folder.

        Raises ``OSError`` if it cannot be written; what waited on disk for it is there still.
        """
        if self.folder is None or self._spool is None:
            return None
        if self._cut:
            with suppress(OSError):
                self._spool.close()
            raise OSError(f"not all times are in {_SPOOL}")
        with _replacing(self.folder / CALLS) as file:
            names = _write_log(file, _by_second(self._spool))
        content = {
            "format": FORMAT,
            **facts,
            "seconds": [
                {"unix": second, **self._rows[second].to_data()} for second in self._span()
            ],
            "calls": {
                name: {"error_kinds": dict(sorted(self._error_kinds[name].items()))}
                for name in sorted(names | self._error_kinds.keys())
            },
            "accepted": self._accepted,
        }
        path = self.folder / LOAD
        with _replacing(path) as file:
            file.write(json.dumps(content, indent=2) + "\n")
        self._spool.close()
        (self.folder / _SPOOL).unlink()
        return path

    def _span(self) -> range:
        return range(min(self._rows), max(self._rows) + 1) if self._rows else range(0)


def is_used(folder: Path) -> bool:
    """Whether the directory holds a record, or a part of one."""
    return (folder / LOAD).exists() or any(folder.glob("accepted-*.txt"))


@contextmanager
def _replacing(path: Path) -> Iterator[IO[str]]:
    """Give a file to write that takes its name only when it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            yield file
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(path)


def _by_second(spool: IO[str]) -> Iterator[tuple[int, dict[str, Counter[int]]]]:
    """Give the times of each second by tag, added up, in order as long as no part is late."""
    waiting: dict[int, dict[str, Counter[int]]] = {}
    newest = 0
    spool.seek(0)
    for line in spool:
        second, tag, counts = json.loads(line)
        tags = waiting.setdefault(second, defaultdict(Counter))
        for value, count in counts:
            tags[tag][value] += count
        newest = max(newest, second)
        for each in sorted(each for each in waiting if each < newest - _LAG):
            yield each, waiting.pop(each)
    for each in sorted(waiting):
        yield each, waiting[each]


def _write_log(file: IO[str], seconds: Iterator[tuple[int, dict[str, Counter[int]]]]) -> set[str]:
    """Write an HDR histogram log with one line a second and tag; return the names of the calls."""
    log = HistogramLogWriter(file)
    log.output_log_format_version()
    log.output_comment("times in microseconds, Interval_Max in milliseconds")
    log.output_legend()
    names = set()
    for second, tags in seconds:
        for tag, counts in sorted(tags.items()):
            names.add(tag.rpartition("|")[0])
            # The library has no tags, and a tag no spaces.
            file.write(f"Tag={quote(tag, safe='()|')},")
            log.output_interval_histogram(_histogram(counts), second, second + 1, _US_PER_MS)
    return names


def _histogram(counts: Counts) -> HdrHistogram:
    histogram = HdrHistogram(1, HIGHEST_US, 3)
    for value, count in counts.items():
        histogram.record_value(value, count)
    return histogram
