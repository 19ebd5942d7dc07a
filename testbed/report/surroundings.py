"""What disturbs a run from outside, noted before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from testbed.drive.stacks import others_up
from testbed.report import console
from testbed.report.provenance import busy_note
from testbed.stack.sides.side import Side, title


def note_surroundings(machine: Mapping[str, Any], sides: Iterable[str]) -> None:
    """Note other work of the machine, and stacks that are up beside those of ``sides``."""
    if busy := busy_note(machine):
        console.note(busy)
    for other in others_up(Side.parse(each).design for each in sides):
        console.note(f"note  {title(other)} is up and shares the machine; testbed down {other}")
