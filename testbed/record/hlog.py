"""Reads ``calls.hlog``: an HDR histogram log with one line for each second, call and kind of time.

The tag of a line is ``NAME|KIND``, with what a tag may not hold (spaces, commas) in the name
percent-encoded. Two lines of equal tag and second add up.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from testbed.record.calls import KINDS, IntervalHistogram, merge
from testbed.record.damage import numbered, reading

Intervals = Mapping[str, Mapping[str, Mapping[int, IntervalHistogram]]]

_LINE = re.compile(
    r"Tag=(?P<name>[^,|]+)\|(?P<kind>[a-z]+),(?P<start>\d+)\.0+,1\.0+,[\d.]+,(?P<data>.+)"
)
_NO_DATA = ("#", '"StartTimestamp"')


def read_intervals(path: Path) -> Intervals:
    """Return the intervals by name, kind and second.

    Raises :class:`RecordingError` that names the file and the line if it is damaged.
    """
    found: dict[str, dict[str, dict[int, IntervalHistogram]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    with reading(path) as place, path.open(encoding="utf-8") as file:
        for line in numbered(file, place):
            if line.startswith(_NO_DATA):
                continue
            name, kind, second, interval = _parse(line.rstrip("\n"))
            seconds = found[name][kind]
            if second in seconds:
                interval = IntervalHistogram.of(merge((seconds[second], interval)))
            seconds[second] = interval
    return found


def _parse(line: str) -> tuple[str, str, int, IntervalHistogram]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError("not Tag=NAME|KIND,second,1.0,max,histogram")
    if match["kind"] not in KINDS:
        raise ValueError(f"a time of the kind {match['kind']!r}, not {', '.join(KINDS)}")
    return (
        unquote(match["name"]),
        match["kind"],
        int(match["start"]),
        IntervalHistogram.decode(match["data"]),
    )
