"""Two sides beside each other in every cell of an experiment: medians, ratios, intervals, verdicts.

A cell is one combination of the levels of a plan's factors; a plan without factors has one cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from testbed import statistics
from testbed.analysis import metrics
from testbed.analysis.metrics import Figure, Metric
from testbed.analysis.trial import TrialFigures, analyse
from testbed.analysis.validity import Limits
from testbed.recording.model import ExperimentRecording
from testbed.statistics import Interval, Measured, Verdict

Noise = Mapping[str, Interval]


@dataclass(frozen=True)
class Row:
    """One metric in one cell: the figures of each side and the ratio second/first, by block.

    An entry is ``None`` where a block has no valid trial, a ratio also where it would not be
    defined. The median of a side is over its valid blocks. ``interval`` is that of the ratio over
    the blocks; ``verdict`` is ``None`` for a metric that does not tell who is better.
    """

    metric: Metric
    figures: tuple[tuple[Figure | None, ...], tuple[Figure | None, ...]]
    ratios: tuple[float | None, ...]
    interval: Interval | None = None
    verdict: Verdict | None = None

    def values(self, side: int) -> list[float | None]:
        """Return the value of one side in each block."""
        return [None if each is None else each.value for each in self.figures[side]]

    def median(self, side: int) -> float | None:
        """Return the median over the blocks of one side."""
        values = [value for value in self.values(side) if value is not None]
        return median(values) if values else None

    def too_few(self, side: int) -> bool:
        """Whether a side has no value because its samples were too few."""
        return self.median(side) is None and any(
            each and each.too_few for each in self.figures[side]
        )

    @property
    def given_ratios(self) -> list[float]:
        """The ratios of the blocks that have one."""
        return [ratio for ratio in self.ratios if ratio is not None]

    @property
    def ratio(self) -> float | None:
        """The ratio over all blocks: that of the interval, the median if there is no interval."""
        if self.interval is not None:
            return self.interval.estimate
        return median(self.given_ratios) if self.given_ratios else None


@dataclass(frozen=True)
class CellComparison:
    """The two sides of one cell. ``factors`` has the level of each factor, as the plan names it."""

    factors: Mapping[str, Any]
    designs: tuple[str, str]
    blocks: int
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """The levels of the factors in a few words; empty if there are no factors."""
        return title_of(self.factors)

    @property
    def labels(self) -> tuple[str, str]:
        """A name for each side, distinct also when a design is compared with itself."""
        first, second = (design.upper() for design in self.designs)
        return (f"{first} 1st", f"{second} 2nd") if first == second else (first, second)

    @property
    def ratio_label(self) -> str:
        """A name for the ratio second/first."""
        first, second = (label.split()[-1] for label in self.labels)
        return f"{second}/{first}"

    def row(self, metric: str) -> Row | None:
        """Return the row of a metric by its name."""
        return next((row for row in self.rows if row.metric.name == metric), None)


@dataclass(frozen=True)
class Comparison:
    """The outcome of an experiment, cell by cell.

    ``trials`` are all that ran, in order, those that were run again included. ``missing`` are the
    numbers of the planned trials without a valid attempt; trials that an early stop made needless
    are not planned any more.
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
        """Whether a later attempt at the same trial is valid."""
        return any(
            each.valid and each.header.number == trial.header.number for each in self.trials
        )


def title_of(factors: Mapping[str, Any]) -> str:
    """Write the levels of factors as ``users=20, job_ms=100``."""
    return ", ".join(f"{name}={_level(value)}" for name, value in factors.items())


def _level(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def compare(experiment: ExperimentRecording, noise: Noise | None = None) -> Comparison:
    """Analyse all trials and put the sides of each cell beside each other.

    ``noise`` has the interval of each metric's ratio in a comparison of a design with itself.
    """
    limits = Limits(**experiment.plan.get("limits", {}))
    trials = tuple(analyse(each, limits) for each in experiment.trials)
    needed = set(experiment.needed)
    return Comparison(
        designs=experiment.designs,
        blocks=max((each.header.block for each in trials), default=0),
        planned_trials=len(needed),
        trials=trials,
        cells=cells_of(trials, noise or {}),
        missing=tuple(sorted(needed - {each.header.number for each in trials if each.valid})),
        ended=experiment.ended,
    )


def cells_of(trials: Iterable[TrialFigures], noise: Noise | None = None) -> tuple[CellComparison, ...]:
    """Put the trials of each cell together, the cells in the order of their titles' numbers."""
    groups: dict[str, list[TrialFigures]] = {}
    for trial in trials:
        groups.setdefault(title_of(trial.header.plan_cell), []).append(trial)
    return tuple(_cell(group, noise or {}) for _, group in sorted(groups.items(), key=_order))


def _order(item: tuple[str, list[TrialFigures]]) -> tuple[tuple[int, float, str], ...]:
    """Sort numbers as numbers and words as words."""
    levels = item[1][0].header.plan_cell.values()
    return tuple(
        (0, float(each), "") if isinstance(each, int | float) else (1, 0.0, str(each))
        for each in levels
    )


def _cell(trials: Sequence[TrialFigures], noise: Noise) -> CellComparison:
    blocks = max(each.header.block for each in trials)
    by_place = {(each.header.side, each.header.block): each for each in trials if each.valid}
    designs = {each.header.side: each.header.design for each in trials}
    sides = [[by_place.get((side, block)) for block in range(1, blocks + 1)] for side in (0, 1)]
    calls = {call for each in trials for call in each.calls}
    rows = tuple(_row(metric, sides) for metric in metrics.catalogue(calls))
    first = designs.get(0, designs.get(1, ""))
    cell = CellComparison(
        factors=trials[0].header.plan_cell,
        designs=(first, designs.get(1, first)),
        blocks=blocks,
        rows=rows,
    )
    return CellComparison(cell.factors, cell.designs, blocks, _judged(cell, noise))


def _row(metric: Metric, sides: Sequence[Sequence[TrialFigures | None]]) -> Row:
    first, second = (
        tuple(None if trial is None else trial.figures.get(metric.name) for trial in side)
        for side in sides
    )
    if metric.is_count:
        return Row(metric, (first, second), (None,) * len(first))
    pairs = list(zip(first, second, strict=True))
    values = [[[] if each is None else [each.value] for each in side] for side in (first, second)]
    return Row(
        metric,
        (first, second),
        tuple(_ratio(*pair) for pair in pairs),
        statistics.ratio_interval(values[0], values[1]),
    )


def _ratio(first: Figure | None, second: Figure | None) -> float | None:
    if first is None or second is None or not first.value or second.value is None:
        return None
    return second.value / first.value


def _judged(cell: CellComparison, noise: Noise) -> tuple[Row, ...]:
    """Judge the metrics of a cell together: the more are looked at, the more differ by chance."""
    family = [row for row in cell.rows if row.metric.better and not row.metric.is_count]
    found = statistics.verdicts(
        [
            Measured(
                f"{row.metric.label}", row.interval, noise.get(row.metric.name), row.metric.better
            )
            for row in family
            if row.metric.better
        ],
        sides=cell.labels,
    )
    verdicts = {row.metric.name: each for row, each in zip(family, found, strict=True)}
    return tuple(
        Row(row.metric, row.figures, row.ratios, row.interval, verdicts.get(row.metric.name))
        for row in cell.rows
    )
