"""Two designs side by side: medians over the rounds, and the ratio within each round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from testbed.analysis import metrics
from testbed.analysis.metrics import Figure, Metric
from testbed.analysis.trial import TrialFigures, analyse
from testbed.recording.model import ExperimentRecording


@dataclass(frozen=True)
class Row:
    """One metric: the figures of each side and the ratio second/first, one entry per round.

    An entry is ``None`` where a round has no valid trial, a ratio also where it would not be
    defined. The median of a side is over its valid rounds.
    """

    metric: Metric
    figures: tuple[tuple[Figure | None, ...], tuple[Figure | None, ...]]
    ratios: tuple[float | None, ...]

    def median(self, side: int) -> float | None:
        """Return the median over the rounds of one side."""
        values = [each.value for each in self.figures[side] if each and each.value is not None]
        return median(values) if values else None

    def too_few(self, side: int) -> bool:
        """Whether a side has no value because its samples were too few."""
        return self.median(side) is None and any(
            each and each.too_few for each in self.figures[side]
        )

    @property
    def given_ratios(self) -> list[float]:
        """The ratios of the rounds that have one."""
        return [ratio for ratio in self.ratios if ratio is not None]

    @property
    def ratio(self) -> float | None:
        """The median of the ratios of the rounds."""
        return median(self.given_ratios) if self.given_ratios else None


@dataclass(frozen=True)
class Comparison:
    """The outcome of an experiment; rounds are numbered from 1 in the order they ran."""

    designs: tuple[str, str]
    rounds: int
    planned_trials: int
    trials: tuple[TrialFigures, ...]
    rows: tuple[Row, ...]

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

    @property
    def complete(self) -> bool:
        """Whether every planned trial ran and is valid."""
        return len(self.trials) == self.planned_trials and all(each.valid for each in self.trials)


def compare(experiment: ExperimentRecording) -> Comparison:
    """Analyse all trials and put the sides beside each other."""
    trials = tuple(map(analyse, experiment.trials))
    rounds = max((each.header.round for each in trials), default=0)
    cells = {(each.header.side, each.header.round): each for each in trials if each.valid}
    calls = {call for each in trials for call in each.calls}
    sides = [[cells.get((side, number)) for number in range(1, rounds + 1)] for side in (0, 1)]
    return Comparison(
        designs=experiment.designs,
        rounds=rounds,
        planned_trials=2 * int(experiment.plan["rounds"]),
        trials=trials,
        rows=tuple(_row(metric, sides) for metric in metrics.catalogue(calls)),
    )


def _row(metric: Metric, sides: Sequence[Sequence[TrialFigures | None]]) -> Row:
    first, second = (
        tuple(None if trial is None else trial.figures.get(metric.name) for trial in side)
        for side in sides
    )
    ratios = tuple(
        None if metric.is_count else _ratio(*pair) for pair in zip(first, second, strict=True)
    )
    return Row(metric, (first, second), ratios)


def _ratio(first: Figure | None, second: Figure | None) -> float | None:
    if first is None or second is None or not first.value or second.value is None:
        return None
    return second.value / first.value
