"""What disturbs a run from outside, noted before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from testbed.drive.stacks import others_up
from testbed.report import console
from testbed.report.provenance import busy_note


def note_surroundings(machine: Mapping[str, Any], designs: Iterable[str]) -> None:
    """Note other work of the machine, and stacks that are up beside those of ``designs``."""
    if busy := busy_note(machine):
        console.note(busy)
    for other in others_up(designs):
        console.note(
            f"note  design {other.upper()} is up and shares the machine; testbed down {other}"
        )
