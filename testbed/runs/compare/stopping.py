"""Which cells know enough, so that no more blocks of them have to be run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from testbed.drive.figures.trial import TrialFigures
from testbed.runs.compare.comparison import CellComparison, cells_of
from testbed.runs.compare.plan import Plan, Stop
from testbed.stats import enough


@dataclass(frozen=True)
class CellProgress:
    """How far a cell has come after some blocks: whether it is precise enough, and its ratios.

    It is precise enough if the ratio of every side is.
    """

    cell: CellComparison
    precise: bool
    text: str


def cell_progress(
    plan: Plan, shown: tuple[str, ...], trials: Iterable[TrialFigures], block: int
) -> tuple[CellProgress, ...]:
    """Return how far each cell is by the trials up to ``block``; without a rule none is precise.

    The words are of the metrics of the rule, else of those ``shown``.
    """
    so_far = [each for each in trials if each.header.block <= block]
    metrics = plan.stop.metrics if plan.stop else shown
    return tuple(
        CellProgress(cell, _is_precise(cell, plan.stop), _words(cell, metrics))
        for cell in cells_of(so_far, plan.sides)
    )


def _is_precise(cell: CellComparison, stop: Stop | None) -> bool:
    if stop is None:
        return False
    rows = [cell.row(metric) for metric in stop.metrics]
    return all(
        row is not None
        and all(enough(each.ratio, stop.half_width, least=stop.min_blocks) for each in row.against)
        for row in rows
    )


def _words(cell: CellComparison, metrics: tuple[str, ...]) -> str:
    rows = [row for metric in metrics if (row := cell.row(metric))]
    parts = []
    for index, label in enumerate(cell.ratio_labels):
        found = [
            f"{row.metric.label} {ratio.estimate:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
            for row in rows
            if (ratio := row.against[index].ratio)
        ]
        if found:
            parts.append(f"{label} so far: {', '.join(found)}")
    return "; ".join(parts)
