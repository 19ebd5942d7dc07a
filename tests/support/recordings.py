"""Writes what the load generator leaves of a drive, with known contents."""

from __future__ import annotations

import dataclasses
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hdrh.log import HistogramLogWriter

from testbed.record import files
from testbed.record.calls import SERVICE, CallSeries, IntervalHistogram, blank
from testbed.record.model import CLOSED, LoadRecording, Offered, Second, Step, Window

START = 1_000


def interval(values_us: Iterable[int]) -> IntervalHistogram:
    """The interval of a second in which calls of these times ended."""
    histogram = blank()
    for value in values_us:
        histogram.record_value(value)
    return IntervalHistogram.of(histogram)


@dataclass
class LoadMaker:
    """A drive of ``seconds`` whole seconds from ``start``; each second is like the others.

    ``calls`` has the times of one second, in microseconds, by name and kind: ``{"SubmitJob":
    {"service": [1000] * 50}}``; ``per_second`` overrides any of them for single seconds, counted
    from 0. ``rows`` changes fields of every row, a sequence for single seconds.
    """

    seconds: int = 10
    start: int = START
    warmup: float = 0.0
    loop: str = CLOSED
    offered: Offered = field(default_factory=Offered)
    calls: Mapping[str, Mapping[str, Sequence[int]]] = field(
        default_factory=lambda: {"SubmitJob": {SERVICE: [1000] * 100}}
    )
    per_second: Mapping[int, Mapping[str, Mapping[str, Sequence[int]]]] = field(
        default_factory=dict
    )
    expected: frozenset[str] = frozenset(
        {"GetJobResult (not finished)", "CancelJob (already finished)"}
    )
    rows: Mapping[str, float | Sequence[float]] = field(default_factory=dict)
    error_kinds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    accepted: Sequence[str] = ()
    asked_seconds: float | None = None

    @property
    def window(self) -> Window:
        """The whole drive."""
        return Window(float(self.start), float(self.start + self.seconds))

    def recording(self) -> LoadRecording:
        """The drive as the reader would return it."""
        return LoadRecording(
            window=self.window,
            loop=self.loop,
            offered=self.offered,
            nominal_warmup=self.warmup,
            steps=tuple(self._steps()),
            seconds=tuple(map(self._row, range(self.seconds))),
            calls={name: self._series(name) for name in self._names()},
            accepted_ids=frozenset(self.accepted),
            asked_seconds=self.asked_seconds,
        )

    def write(self, folder: Path, **changes: Any) -> Path:
        """Write the files into ``folder``; ``changes`` replaces fields of ``load.json``."""
        load = self.recording()
        content = {
            "format": 2,
            "loop": load.loop,
            "offered": dataclasses.asdict(load.offered),
            "window": dataclasses.asdict(load.window),
            "nominal_warmup": load.nominal_warmup,
            "asked_seconds": load.asked_seconds,
            "steps": [
                {
                    "index": s.index,
                    "label": s.label,
                    "value": s.value,
                    **dataclasses.asdict(s.window),
                }
                for s in load.steps
            ],
            "seconds": [dataclasses.asdict(each) for each in load.seconds],
            "calls": {n: {"error_kinds": dict(c.error_kinds)} for n, c in load.calls.items()},
            "accepted": len(self.accepted),
            **changes,
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / files.LOAD).write_text(json.dumps(content))
        (folder / files.CALLS).write_text(self._log())
        (folder / "accepted-7.txt").write_text("".join(f"{each}\n" for each in self.accepted))
        return folder

    def _names(self) -> list[str]:
        groups = (self.calls, self.error_kinds, *self.per_second.values())
        return list(dict.fromkeys(name for group in groups for name in group))

    def _times(self, second: int) -> dict[str, dict[str, Sequence[int]]]:
        own = self.per_second.get(second, {})
        return {n: {**self.calls.get(n, {}), **own.get(n, {})} for n in {**self.calls, **own}}

    def _series(self, name: str) -> CallSeries:
        intervals: dict[str, dict[int, IntervalHistogram]] = {}
        for second in range(self.seconds):
            for kind, values in self._times(second).get(name, {}).items():
                if values:
                    intervals.setdefault(kind, {})[self.start + second] = interval(values)
        return CallSeries(name, intervals, self.error_kinds.get(name, {}))

    def _row(self, second: int) -> Second:
        counts = Counter[str]()
        for name, times in self._times(second).items():
            counts["expected" if name in self.expected else "answered"] += len(times[SERVICE])
        total = sum(counts.values())
        changes = {
            key: each[second] if isinstance(each, Sequence) else each
            for key, each in self.rows.items()
        }
        row = {"due": total, "sent": total, **counts, "in_flight_max": 1, "generator_cpu": 0.25}
        values: dict[str, Any] = {**row, **changes}
        return Second(self.start + second, **values)

    def _steps(self) -> Sequence[Step]:
        return self.steps or (Step(0, "users=20", 20.0, self.window),)

    def _log(self) -> str:
        text = io.StringIO()
        log = HistogramLogWriter(text)
        log.output_log_format_version()
        log.output_legend()
        for second in range(self.seconds):
            for name, times in self._times(second).items():
                for kind, values in times.items():
                    if not values:
                        continue
                    histogram, at = blank(), self.start + second
                    for value in values:
                        histogram.record_value(value)
                    text.write(f"Tag={quote(name, safe='()')}|{kind},")
                    log.output_interval_histogram(histogram, at, at + 1, 1000)
        return text.getvalue()
