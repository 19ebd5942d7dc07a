"""What an experiment says: for each cell and metric the ratios, their intervals and verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

from testbed.drive.figures import metrics
from testbed.drive.figures.metrics import Metric
from testbed.drive.figures.trial import TrialFigures
from testbed.stats import (
    Interval,
    Measured,
    MetricVerdict,
    RatioOutcome,
    noise_floor,
    ratio_interval,
    verdicts,
)

CONFIDENCE = 0.95

Blocks = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Against:
    """One metric of a side, held against the reference.

    ``side`` is the place of the side in the plan, 1 or above. ``ratio`` is side/reference, ``None``
    for a count and where there are too few blocks; ``by_block`` has it for each block, ``None``
    where one of the two has no value. ``floor`` is how far a side would be from itself in this run,
    ``None`` if no side has two trials in a block. ``verdict`` is ``None`` if a difference would be
    neither good nor bad.
    """

    side: int
    ratio: Interval | None
    by_block: tuple[float | None, ...]
    floor: float | None
    verdict: MetricVerdict | None = None

    @property
    def estimate(self) -> float | None:
        """The ratio over all blocks: the interval's, or that of the only block."""
        if self.ratio is not None:
            return self.ratio.estimate
        given = [ratio for ratio in self.by_block if ratio is not None]
        return median(given) if given else None

    @property
    def outcome(self) -> RatioOutcome | None:
        """The verdict in one word."""
        return self.verdict.outcome if self.verdict else None


@dataclass(frozen=True)
class Judged:
    """One metric in one cell.

    ``values`` has for each side, for each block in order, the values of its valid trials; a block
    in which a side has none is empty there. ``against`` has every side but the first, the
    reference. ``too_few`` says for each side that a valid trial of it has samples but not enough
    for this percentile; the side then has no values at all.
    """

    metric: Metric
    values: tuple[Blocks, ...]
    against: tuple[Against, ...]
    too_few: tuple[bool, ...]

    @property
    def medians(self) -> tuple[float | None, ...]:
        """The median over all valid trials of each side."""
        return tuple(_median([value for block in side for value in block]) for side in self.values)

    @property
    def is_judged(self) -> bool:
        """Whether a difference in it is good or bad."""
        return any(each.verdict for each in self.against)


def cell_name(cell: Mapping[str, Any]) -> str:
    """Write the levels of a cell: ``users 20, job_ms 5``."""
    return ", ".join(f"{factor} {_level(level)}" for factor, level in cell.items())


def judge(
    trials: Sequence[TrialFigures], labels: Sequence[str], *, confidence: float = CONFIDENCE
) -> tuple[Judged, ...]:
    """Judge all metrics of one cell, of which ``trials`` are.

    Each side is held against the first, with the noise of these two alone. All metrics of all sides
    are one family: their verdicts are adjusted for how many they are. ``labels`` name the sides.
    """
    catalogue = [
        metric
        for metric in metrics.catalogue({call for trial in trials for call in trial.calls})
        if not metric.optional or any(trial.has(metric) for trial in trials)
    ]
    rows = [_measure(metric, trials, len(labels), confidence) for metric in catalogue]
    judged = iter(verdicts(list(_family(rows, labels)), confidence=confidence))
    return tuple(
        replace(row, against=tuple(replace(each, verdict=next(judged)) for each in row.against))
        if row.metric.better
        else row
        for row in rows
    )


def by_cell(
    trials: Iterable[TrialFigures],
) -> list[tuple[Mapping[str, Any], tuple[TrialFigures, ...]]]:
    """Group trials by the cell of the plan that they belong to."""
    groups: dict[str, tuple[Mapping[str, Any], list[TrialFigures]]] = {}
    for trial in trials:
        cell = trial.header.plan_cell
        groups.setdefault(repr(sorted(cell.items())), (cell, []))[1].append(trial)
    return [(cell, tuple(own)) for cell, own in groups.values()]


def _family(rows: Sequence[Judged], labels: Sequence[str]) -> Iterator[Measured]:
    for row in rows:
        if not row.metric.better:
            continue
        for each in row.against:
            sides = labels[0], labels[each.side]
            yield Measured(row.metric.label, each.ratio, each.floor, row.metric.better, sides=sides)


def _measure(
    metric: Metric, trials: Sequence[TrialFigures], sides: int, confidence: float
) -> Judged:
    blocks = sorted({trial.header.block for trial in trials})
    few = tuple(_too_few(metric, trials, side) for side in range(sides))
    values = tuple(
        tuple(() if few[side] else _values(metric, trials, side, block) for block in blocks)
        for side in range(sides)
    )
    against = tuple(
        _against(metric, values[0], values[side], side, confidence) for side in range(1, sides)
    )
    return Judged(metric, values, against, few)


def _against(
    metric: Metric, reference: Blocks, values: Blocks, side: int, confidence: float
) -> Against:
    if metric.is_count:
        return Against(side, None, (None,) * len(values), None)
    return Against(
        side,
        ratio_interval(reference, values, confidence=confidence),
        tuple(map(_block_ratio, reference, values)),
        noise_floor(reference, values, confidence=confidence),
    )


def _block_ratio(first: Sequence[float], second: Sequence[float]) -> float | None:
    if not first or not second or min(first) <= 0:
        return None
    if min(second) <= 0:
        return fmean(second) / fmean(first)
    return math.exp(fmean(map(math.log, second)) - fmean(map(math.log, first)))


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
