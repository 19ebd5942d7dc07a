"""Reads what the load generator left of a drive: ``load.json``, ``calls.hlog``, accepted ids."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path
from typing import Any

from testbed.recording import files
from testbed.recording.calls import SERVICE, CallSeries
from testbed.recording.files import RecordingError
from testbed.recording.hlog import Intervals, read_intervals
from testbed.recording.model import (
    CLOSED,
    OPEN,
    LoadRecording,
    Offered,
    Second,
    Step,
    Window,
)

LOAD_FORMAT = 2

_COUNTS = [each.name for each in dataclasses.fields(Second) if each.name != "generator_cpu"]


def read_load(folder: Path) -> LoadRecording:
    """Read what the load generator wrote.

    Raises :class:`RecordingError` naming the file if one is missing or damaged, or if they do not
    belong together.
    """
    path = folder / files.LOAD
    raw = files.read_json(path)
    if raw.get("format") != LOAD_FORMAT:
        raise RecordingError(f"{path} has format {raw.get('format')!r}, not {LOAD_FORMAT}")
    accepted = files.read_accepted(folder)
    intervals = read_intervals(folder / files.CALLS)
    try:
        load = _load(raw, intervals, frozenset(accepted))
        counted = int(raw["accepted"])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{path} is no load recording: {error!r}") from error
    if counted != len(accepted):
        raise RecordingError(
            f"{path} counts {counted} accepted jobs, {files.ACCEPTED} name {len(accepted)}"
        )
    _check_whole(folder, load)
    return load


def _load(raw: dict[str, Any], intervals: Intervals, accepted: frozenset[str]) -> LoadRecording:
    if raw["loop"] not in (CLOSED, OPEN):
        raise ValueError(f"loop is {raw['loop']!r}, not {CLOSED!r} or {OPEN!r}")
    kinds = {
        name: {k: int(n) for k, n in c["error_kinds"].items()} for name, c in raw["calls"].items()
    }
    return LoadRecording(
        window=_window(raw["window"]),
        loop=raw["loop"],
        offered=Offered(**raw["offered"]),
        nominal_warmup=float(raw["nominal_warmup"]),
        steps=tuple(map(_step, raw["steps"])),
        seconds=tuple(map(_second, raw["seconds"])),
        calls={
            name: CallSeries(name, intervals.get(name, {}), kinds.get(name, {}))
            for name in {**kinds, **intervals}
        },
        accepted_ids=accepted,
        asked_seconds=_optional_number(raw.get("asked_seconds")),
    )


def _optional_number(raw: Any) -> float | None:
    return None if raw is None else float(raw)


def _window(raw: dict[str, Any]) -> Window:
    return Window(float(raw["from_unix"]), float(raw["to_unix"]))


def _step(raw: dict[str, Any]) -> Step:
    return Step(int(raw["index"]), str(raw["label"]), float(raw["value"]), _window(raw))


def _second(raw: dict[str, Any]) -> Second:
    return Second(
        **{name: int(raw[name]) for name in _COUNTS}, generator_cpu=float(raw["generator_cpu"])
    )


def _check_whole(folder: Path, load: LoadRecording) -> None:
    """Raise :class:`RecordingError` if something of the drive is missing, or there was none."""
    path = folder / files.LOAD
    if any(after.unix != before.unix + 1 for before, after in pairwise(load.seconds)):
        raise RecordingError(f"{path}: its seconds are not one after the other")
    counted = sum(each.answered + each.expected for each in load.seconds)
    timed = sum(
        interval.total
        for series in load.calls.values()
        for interval in series.intervals.get(SERVICE, {}).values()
    )
    if counted != timed:
        raise RecordingError(f"{path} counts {counted} answers, {folder / files.CALLS} has {timed}")
    if load.after_nominal.seconds <= 0:
        raise RecordingError(
            f"{path} has no whole second after the warm-up of {load.nominal_warmup:g} s: "
            "drive for longer"
        )
