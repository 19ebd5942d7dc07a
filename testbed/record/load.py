"""Reads what the load generator left of a drive: ``load.json``, ``calls.hlog``, accepted ids."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from testbed.record import files
from testbed.record.calls import KINDS, SERVICE, CallSeries
from testbed.record.damage import RecordingError, reading
from testbed.record.hlog import Intervals, read_intervals
from testbed.record.model import CLOSED, OPEN, LoadRecording, Offered, Second, Step, Window
from testbed.record.typed import typed

LOAD_FORMAT = 2


class _Step(TypedDict):
    index: int
    label: str
    value: float
    from_unix: float
    to_unix: float


class _Call(TypedDict):
    error_kinds: Mapping[str, int]


class _Span(TypedDict):
    window: Window


class _Load(_Span):
    """What ``load.json`` holds; windows and steps are as in the model."""

    loop: str
    offered: Offered
    nominal_warmup: float
    steps: tuple[_Step, ...]
    seconds: tuple[Second, ...]
    calls: Mapping[str, _Call]
    accepted: int
    asked_seconds: NotRequired[float | None]


def read_load(folder: Path) -> LoadRecording:
    """Read what the load generator wrote.

    Raises :class:`RecordingError` naming the file if one is missing or damaged, or if they do not
    belong together.
    """
    path = folder / files.LOAD
    raw = _raw(path)
    with reading(path):
        data: _Load = typed(raw, _Load)
        _check(data)
    accepted = files.read_accepted(folder)
    intervals = read_intervals(folder / files.CALLS)
    if data["accepted"] != len(accepted):
        raise RecordingError(
            f"{path} counts {data['accepted']} accepted jobs, {folder / files.ACCEPTED} name "
            f"{len(accepted)}"
        )
    load = _load(data, intervals, frozenset(accepted))
    _check_whole(folder, load)
    return load


def read_window(folder: Path) -> Window:
    """Read how long a whole drive was, and nothing else. Raises :class:`RecordingError`."""
    path = folder / files.LOAD
    raw = _raw(path)
    with reading(path):
        span: _Span = typed(raw, _Span)
        return span["window"]


def _raw(path: Path) -> dict[str, Any]:
    raw = files.read_json(path)
    with reading(path):
        if raw.get("format") != LOAD_FORMAT:
            raise ValueError(f"it has format {raw.get('format')!r}, not {LOAD_FORMAT}")
        return raw


def _check(data: _Load) -> None:
    """Raise ``ValueError`` for values that no drive has."""
    if data["loop"] not in {CLOSED, OPEN}:
        raise ValueError(f"loop is {data['loop']!r}, not {CLOSED!r} or {OPEN!r}")
    if data["nominal_warmup"] < 0 or data["window"].seconds < 0:
        raise ValueError("a window or a warm-up is shorter than nothing")
    for row in data["seconds"]:
        if min(dataclasses.astuple(row)) < 0:
            raise ValueError(f"the second {row.unix} has less than none of something")


def _load(data: _Load, intervals: Intervals, accepted: frozenset[str]) -> LoadRecording:
    kinds = {name: call["error_kinds"] for name, call in data["calls"].items()}
    return LoadRecording(
        window=data["window"],
        loop=data["loop"],
        offered=data["offered"],
        nominal_warmup=data["nominal_warmup"],
        steps=tuple(map(_step, data["steps"])),
        seconds=data["seconds"],
        calls={
            name: CallSeries(name, intervals.get(name, {}), kinds.get(name, {}))
            for name in {**kinds, **intervals}
        },
        accepted_ids=accepted,
        asked_seconds=data.get("asked_seconds"),
    )


def _step(raw: _Step) -> Step:
    window = Window(raw["from_unix"], raw["to_unix"])
    return Step(raw["index"], raw["label"], raw["value"], window)


def _check_whole(folder: Path, load: LoadRecording) -> None:
    """Raise :class:`RecordingError` if something of the drive is missing, or there was none."""
    path, calls = folder / files.LOAD, folder / files.CALLS
    if any(after.unix != before.unix + 1 for before, after in pairwise(load.seconds)):
        raise RecordingError(f"{path}: its seconds are not one after the other")
    driven = load.window.whole_seconds()
    there = range(load.seconds[0].unix, load.seconds[-1].unix + 1) if load.seconds else range(0)
    if driven and not (there and there[0] <= driven[0] and driven[-1] <= there[-1]):
        raise RecordingError(
            f"{path}: of the seconds {driven[0]} to {driven[-1]} of its window some are missing"
        )
    _check_times(path, calls, load)
    if load.after_nominal.seconds <= 0:
        raise RecordingError(
            f"{path} has no whole second after the warm-up of {load.nominal_warmup:g} s: "
            "drive for longer"
        )


def _check_times(path: Path, calls: Path, load: LoadRecording) -> None:
    """Raise :class:`RecordingError` if answers that were counted have no times, or the reverse."""
    counted = {row.unix: row.answered + row.expected for row in load.seconds}
    timed: Counter[int] = Counter()
    for series in load.calls.values():
        per_kind = [
            {second: each.total for second, each in series.intervals.get(kind, {}).items()}
            for kind in (KINDS if load.loop == OPEN else (SERVICE,))
        ]
        if any(each != per_kind[0] for each in per_kind):
            raise RecordingError(
                f"{calls} does not have as many times of each kind of {series.name}"
            )
        timed.update(per_kind[0])
    for second in sorted(counted.keys() | timed.keys()):
        if counted.get(second, 0) != timed[second]:
            raise RecordingError(
                f"{path} counts {counted.get(second, 0)} answers in the second {second}, {calls} "
                f"has the times of {timed[second]}"
            )
