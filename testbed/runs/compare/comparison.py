"""An experiment as a whole: its cells with both sides beside each other, and what is missing.

A cell is one combination of the levels of a plan's factors; a plan without factors has one cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from testbed.drive.figures.trial import TrialFigures, analyse
from testbed.drive.figures.validity import Limits
from testbed.record.damage import naming
from testbed.record.model import ExperimentRecording
from testbed.record.typed import typed
from testbed.runs.compare.verdicts import Judged, by_cell, cell_name, judge
from testbed.stats import Interval

Noise = Mapping[str, Interval]


@dataclass(frozen=True)
class CellComparison:
    """The two sides of one cell. ``factors`` has the level of each factor, as the plan names it."""

    factors: Mapping[str, Any]
    designs: tuple[str, str]
    blocks: int
    rows: tuple[Judged, ...]

    @property
    def name(self) -> str:
        """The levels of the factors in a few words; empty if there are no factors."""
        return cell_name(self.factors)

    @property
    def labels(self) -> tuple[str, str]:
        """A name for each side, distinct also when a design is compared with itself."""
        return labels_of(self.designs)

    @property
    def ratio_label(self) -> str:
        """A name for the ratio second/first."""
        first, second = (label.split()[-1] for label in self.labels)
        return f"{second}/{first}"

    def row(self, metric: str) -> Judged | None:
        """Return the row of a metric by its name."""
        return next((row for row in self.rows if row.metric.name == metric), None)


@dataclass(frozen=True)
class Comparison:
    """The outcome of an experiment, cell by cell.

    ``trials`` are all that ran, in order, those that were run again included. ``missing`` are the
    numbers of the planned trials without a valid attempt; trials that an early stop made needless
    are not planned any more. ``ended`` says how the experiment ended.
    """

    designs: tuple[str, str]
    blocks: int
    planned_trials: int
    trials: tuple[TrialFigures, ...]
    cells: tuple[CellComparison, ...]
    missing: tuple[int, ...] = ()
    ended: Mapping[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every planned trial has a valid attempt."""
        return not self.missing

    def replaced(self, trial: TrialFigures) -> bool:
        """Whether another attempt at the same trial is valid."""
        return not trial.valid and any(
            each.valid and each.header.number == trial.header.number for each in self.trials
        )


def labels_of(designs: tuple[str, str]) -> tuple[str, str]:
    """Return a name for each side, distinct also when a design is compared with itself."""
    first, second = (design.upper() for design in designs)
    return (f"{first} 1st", f"{second} 2nd") if first == second else (first, second)


def block_ratios(row: Judged) -> tuple[float | None, ...]:
    """Return second/first in each block; ``None`` for a count and where a side has no value."""
    if row.metric.is_count:
        return (None,) * len(row.values[0])
    return tuple(
        median(second) / median(first) if first and second and median(first) else None
        for first, second in zip(*row.values, strict=True)
    )


def ratio_of(row: Judged) -> float | None:
    """Return the ratio over all blocks: the interval's, or that of the only block."""
    if row.ratio is not None:
        return row.ratio.estimate
    given = [ratio for ratio in block_ratios(row) if ratio is not None]
    return median(given) if given else None


def compare(experiment: ExperimentRecording, noise: Noise | None = None) -> Comparison:
    """Analyse all trials and put the sides of each cell beside each other.

    ``noise`` has the interval of each metric's ratio in a comparison of a design with itself.
    """
    with naming(experiment.source):
        limits: Limits = typed(experiment.plan.get("limits", {}), Limits, "plan.limits")
    trials = tuple(analyse(each, limits) for each in experiment.trials)
    needed = set(experiment.needed)
    return Comparison(
        designs=experiment.designs,
        blocks=max((each.header.block for each in trials), default=0),
        planned_trials=len(needed),
        trials=trials,
        cells=cells_of(trials, noise, None if "pairs" in experiment.plan else experiment.designs),
        missing=tuple(sorted(needed - {each.header.number for each in trials if each.valid})),
        ended=experiment.ended,
    )


def cells_of(
    trials: Sequence[TrialFigures],
    noise: Noise | None = None,
    pair: tuple[str, str] | None = None,
) -> tuple[CellComparison, ...]:
    """Put the trials of each cell together; cells come in the order of their levels.

    ``pair`` are the designs of both sides if they are the same in all cells; without it a side of
    which no trial ran is taken for the other's design.
    """
    groups = sorted(by_cell(trials), key=lambda group: _order(group[0]))
    return tuple(_cell(factors, own, noise, pair) for factors, own in groups)


def _cell(
    factors: Mapping[str, Any],
    trials: Sequence[TrialFigures],
    noise: Noise | None,
    pair: tuple[str, str] | None,
) -> CellComparison:
    by_side = dict(enumerate(pair or ())) | {
        each.header.side: each.header.design for each in trials
    }
    first = by_side.get(0, by_side.get(1, ""))
    designs = (first, by_side.get(1, first))
    (judged,) = judge(trials, sides=labels_of(designs), noise=noise)
    return CellComparison(
        factors=factors,
        designs=designs,
        blocks=max(each.header.block for each in trials),
        rows=judged.rows,
    )


def _order(factors: Mapping[str, Any]) -> tuple[tuple[int, float, str], ...]:
    """Sort numbers as numbers and words as words."""
    return tuple(
        (0, float(each), "") if isinstance(each, int | float) else (1, 0.0, str(each))
        for each in factors.values()
    )
