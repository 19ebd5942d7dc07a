"""The noise floor: what two runs of the same thing differ by, from an earlier experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.drive.figures.trial import analyse
from testbed.errors import TestbedError
from testbed.record.damage import RecordingError
from testbed.record.reader import read_experiment, read_head
from testbed.runs.compare.verdicts import noise_floor
from testbed.stats import Interval

CONTROL = "aa"
SAME_MACHINE = ("cpu", "cores", "memory_bytes", "system")


@dataclass(frozen=True)
class NoiseFloor:
    """Ratios of equal sides by the name of the metric, and the experiment that they are from."""

    folder: Path
    ratios: Mapping[str, Interval]


def read(folder: Path) -> NoiseFloor:
    """Read the noise floor from an experiment that compares a design with itself.

    Raises :class:`TestbedError` if it does not, or cannot be read.
    """
    recorded = read_experiment(folder)
    first, second = recorded.designs
    if first != second:
        raise TestbedError(
            f"{folder} compares {first.upper()} with {second.upper()}, so it shows no noise floor",
            "give the folder of an experiment of a design against itself: testbed run aa",
        )
    return NoiseFloor(folder, noise_floor([analyse(trial) for trial in recorded.trials]))


def find(folder: Path) -> NoiseFloor | None:
    """Return the noise floor for the experiment in ``folder``, ``None`` if there is none.

    It is that of the newest control in ``results/aa`` beside it, made on the same machine with the
    same settings; a control that cannot be read is passed over.
    """
    own = read_head(folder)
    for candidate in sorted((folder.resolve().parent.parent / CONTROL).glob("*"), reverse=True):
        if candidate == folder.resolve():
            continue
        try:
            other = read_head(candidate)
            if not matches(own, other):
                continue
            floor = read(candidate)
        except TestbedError:
            continue
        if floor.ratios:
            return floor
    return None


def matches(own: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two experiments, as in ``experiment.json``, ran on the same machine."""
    machines = [each.get("provenance", {}).get("machine", {}) for each in (own, other)]
    return all(machines[0].get(key) == machines[1].get(key) for key in SAME_MACHINE)


__all__ = ["NoiseFloor", "RecordingError", "find", "matches", "read"]
