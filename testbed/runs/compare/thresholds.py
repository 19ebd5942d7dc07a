"""Thresholds of a plan: a metric of one side, or a ratio, that must stay within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.runs.compare.comparison import CellComparison, Comparison


@dataclass(frozen=True)
class Threshold:
    """A bound on ``metric``: the median of a side, or its ratio to the reference with ``ratio``.

    ``side`` is the text of one; without it the bound holds for all of them, and of ratios for those
    of all others. At least one of ``min`` and ``max`` is given.
    """

    metric: str
    side: str | None = None
    ratio: bool = False
    min: float | None = None
    max: float | None = None

    def as_data(self) -> dict[str, Any]:
        """Return it as a table of a plan."""
        given = {"metric": self.metric, "side": self.side, "min": self.min, "max": self.max}
        return {key: value for key, value in given.items() if value is not None} | (
            {"ratio": True} if self.ratio else {}
        )

    @property
    def text(self) -> str:
        """Say what is asked for."""
        bounds = [f"at least {self.min:g}"] if self.min is not None else []
        bounds += [f"at most {self.max:g}"] if self.max is not None else []
        return f"{self.metric} {' and '.join(bounds)}"


@dataclass(frozen=True)
class Checked:
    """A threshold held against one figure; ``value`` is ``None`` where there was none."""

    threshold: Threshold
    cell: CellComparison
    subject: str
    value: float | None

    @property
    def met(self) -> bool:
        """Whether there is a figure and it lies within the bounds."""
        low, high, value = self.threshold.min, self.threshold.max, self.value
        return value is not None and (
            (low is None or value >= low) and (high is None or value <= high)
        )

    @property
    def text(self) -> str:
        """Say what was asked for and what was found."""
        found = "no figure" if self.value is None else f"{self.value:.4g}"
        where = f", {self.cell.name}" if self.cell.name else ""
        return f"{self.subject} {self.threshold.text}: {found}{where}"


def check(comparison: Comparison, thresholds: Sequence[Threshold]) -> tuple[Checked, ...]:
    """Hold every threshold against every cell. A figure that is not there does not meet one."""
    return tuple(
        checked
        for threshold in thresholds
        for cell in comparison.cells
        for checked in _in_cell(threshold, cell)
    )


def _in_cell(threshold: Threshold, cell: CellComparison) -> Iterator[Checked]:
    row = cell.row(threshold.metric)
    for side, text in enumerate(cell.sides):
        if threshold.side not in {None, text} or (threshold.ratio and side == 0):
            continue
        if threshold.ratio:
            value = row.against[side - 1].estimate if row else None
            yield Checked(threshold, cell, cell.ratio_labels[side - 1], value)
        else:
            value = row.medians[side] if row else None
            yield Checked(threshold, cell, cell.labels[side], value)
