"""What a report shows of a fault run besides its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from testbed.runs.faults.figures.model import FaultFigures
from testbed.stack.sides.side import labels as labels_of


@dataclass(frozen=True)
class FaultRun:
    """A fault run: its plan by name and as plain data, when it began (ISO), where it comes from.

    ``what_ran`` are sentences on what was done; ``folder`` is the name of the folder of the run.
    """

    name: str
    when: str
    seed: int
    what_ran: Sequence[str] = ()
    command: str = ""
    folder: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def labels(figures: Sequence[FaultFigures]) -> list[str]:
    """Give each trial a short name: its side's, numbered where a side has several."""
    return list(labels_of([each.side for each in figures]))


def labelled(figures: Sequence[FaultFigures]) -> list[tuple[str, FaultFigures]]:
    """Return each trial with its short name."""
    return list(zip(labels(figures), figures, strict=True))


def style(figures: Sequence[FaultFigures], index: int) -> int:
    """Return the style of a trial: that of its side, the first plain, any other the second."""
    sides = list(dict.fromkeys(each.side for each in figures))
    return min(sides.index(figures[index].side), 1)
