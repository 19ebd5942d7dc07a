"""What is done and noted before a run begins: revisions made ready, what disturbs it outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from testbed.drive.interrupts import Interrupts
from testbed.drive.stacks import others_up
from testbed.report import console
from testbed.report.provenance import busy_note
from testbed.stack.sides import resolve
from testbed.stack.sides.side import Side, title


def make_ready(sides: Iterable[str], runtime: str) -> None:
    """Export the revisions that sides name and install what they need, which may take a minute.

    Raises :class:`TestbedError` for one that cannot be had.
    """
    for side in filter(lambda each: each.revision, map(Side.parse, sides)):
        # Whatever ends this, half a folder is not left behind.
        with Interrupts().installed(), console.working(f"preparing {side}") as progress:
            resolve.make_ready(side, runtime, progress)


def note_surroundings(machine: Mapping[str, Any], sides: Iterable[str]) -> None:
    """Note other work of the machine, and stacks that are up beside those of ``sides``."""
    if busy := busy_note(machine):
        console.note(busy)
    for other in others_up(Side.parse(each).design for each in sides):
        console.note(f"note  {title(other)} is up and shares the machine; testbed down {other}")
