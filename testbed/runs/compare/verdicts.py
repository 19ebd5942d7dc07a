"""What an experiment says: for each cell and metric the ratio, its interval and a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from testbed.drive.figures import metrics
from testbed.drive.figures.metrics import Metric
from testbed.drive.figures.trial import TrialFigures
from testbed.stats import Interval, Measured, MetricVerdict, RatioOutcome, ratio_interval, verdicts

CONFIDENCE = 0.95

Blocks = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Judged:
    """One metric in one cell.

    ``values`` has for each side, for each block in order, the values of its valid trials; a block
    in which a side has none is empty there. ``ratio`` is second/first, ``None`` for a count and
    where there are too few blocks. ``noise`` is the ratio of the same metric between equal sides.
    ``verdict`` is ``None`` if a difference would be neither good nor bad. ``too_few`` says for each
    side that a valid trial of it has samples but not enough for this percentile; the side then has
    no values at all.
    """

    metric: Metric
    values: tuple[Blocks, Blocks]
    ratio: Interval | None
    noise: Interval | None
    verdict: MetricVerdict | None
    too_few: tuple[bool, bool] = (False, False)

    @property
    def medians(self) -> tuple[float | None, float | None]:
        """The median over all valid trials of each side."""
        first, second = (
            _median([value for block in side for value in block]) for side in self.values
        )
        return first, second

    @property
    def outcome(self) -> RatioOutcome | None:
        """The verdict in one word."""
        return self.verdict.outcome if self.verdict else None


@dataclass(frozen=True)
class CellVerdicts:
    """All metrics of one cell of a plan; ``cell`` has the level of each factor."""

    cell: Mapping[str, Any]
    trials: tuple[TrialFigures, ...]
    rows: tuple[Judged, ...]

    @property
    def name(self) -> str:
        """The cell in words, empty if the plan has only one."""
        return cell_name(self.cell)

    def row(self, metric: str) -> Judged | None:
        """Return the row of a metric by its name."""
        return next((row for row in self.rows if row.metric.name == metric), None)


def cell_name(cell: Mapping[str, Any]) -> str:
    """Write the levels of a cell: ``users 20, job_ms 5``."""
    return ", ".join(f"{factor} {_level(level)}" for factor, level in cell.items())


def judge(
    trials: Sequence[TrialFigures],
    *,
    sides: tuple[str, str] = ("A", "B"),
    noise: Mapping[str, Interval] | None = None,
    confidence: float = CONFIDENCE,
) -> tuple[CellVerdicts, ...]:
    """Judge all metrics of all cells, cells in the order in which they first ran.

    The metrics of a cell are one family: their verdicts are adjusted for how many they are.
    ``noise`` has the ratio of equal sides by the name of the metric, as :func:`noise_floor` gives.
    """
    catalogue = metrics.catalogue({call for trial in trials for call in trial.calls})
    return tuple(
        CellVerdicts(cell, own, _rows(catalogue, own, sides, noise or {}, confidence))
        for cell, own in by_cell(trials)
    )


def noise_floor(
    trials: Sequence[TrialFigures], confidence: float = CONFIDENCE
) -> dict[str, Interval]:
    """Return for each metric the ratio of two equal sides whose interval reaches furthest.

    ``trials`` are of an experiment that compares a design with itself, possibly in several cells.
    """
    floor: dict[str, Interval] = {}
    for cell in judge(trials, confidence=confidence):
        for row in cell.rows:
            known = floor.get(row.metric.name)
            if row.ratio and (known is None or reach(row.ratio) > reach(known)):
                floor[row.metric.name] = row.ratio
    return floor


def reach(ratio: Interval) -> float:
    """Return how far from 1 an interval of a ratio reaches, as a factor of at least 1."""
    return max(ratio.high, 1 / ratio.low, 1.0)


def by_cell(
    trials: Iterable[TrialFigures],
) -> list[tuple[Mapping[str, Any], tuple[TrialFigures, ...]]]:
    """Group trials by the cell of the plan that they belong to."""
    groups: dict[str, tuple[Mapping[str, Any], list[TrialFigures]]] = {}
    for trial in trials:
        cell = trial.header.plan_cell
        groups.setdefault(repr(sorted(cell.items())), (cell, []))[1].append(trial)
    return [(cell, tuple(own)) for cell, own in groups.values()]


def _rows(
    catalogue: Sequence[Metric],
    trials: Sequence[TrialFigures],
    sides: tuple[str, str],
    noise: Mapping[str, Interval],
    confidence: float,
) -> tuple[Judged, ...]:
    bare = [_measure(metric, trials, noise.get(metric.name), confidence) for metric in catalogue]
    family = [row for row in bare if row.metric.better]
    judged = verdicts(
        [
            Measured(row.metric.label, row.ratio, row.noise, row.metric.better)
            for row in family
            if row.metric.better
        ],
        confidence=confidence,
        sides=sides,
    )
    found = {row.metric.name: each for row, each in zip(family, judged, strict=True)}
    return tuple(
        Judged(
            row.metric,
            row.values,
            row.ratio,
            row.noise,
            found.get(row.metric.name),
            row.too_few,
        )
        for row in bare
    )


def _measure(
    metric: Metric, trials: Sequence[TrialFigures], noise: Interval | None, confidence: float
) -> Judged:
    blocks = sorted({trial.header.block for trial in trials})
    few = _too_few(metric, trials, 0), _too_few(metric, trials, 1)
    first, second = (
        tuple(() if few[side] else _values(metric, trials, side, block) for block in blocks)
        for side in (0, 1)
    )
    ratio = None if metric.is_count else ratio_interval(first, second, confidence=confidence)
    return Judged(metric, (first, second), ratio, noise, None, few)


def _too_few(metric: Metric, trials: Sequence[TrialFigures], side: int) -> bool:
    """Say whether a valid trial of a side has too few samples for the metric.

    Then the side has none: in a closed loop it is the fast trials that have enough, and a median of
    those alone would flatter.
    """
    return any(
        trial.figures[metric.name].too_few
        for trial in trials
        if trial.valid and trial.header.side == side and metric.name in trial.figures
    )


def _values(
    metric: Metric, trials: Sequence[TrialFigures], side: int, block: int
) -> tuple[float, ...]:
    figures = [
        trial.figures.get(metric.name)
        for trial in trials
        if trial.valid and (trial.header.side, trial.header.block) == (side, block)
    ]
    return tuple(each.value for each in figures if each is not None and each.value is not None)


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _level(level: object) -> str:
    return f"{level:g}" if isinstance(level, float) else str(level)
