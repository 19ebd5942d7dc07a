"""An experiment as a whole: its cells with all sides beside each other, and what is missing.

A cell is one combination of the levels of a plan's factors; a plan without factors has one cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from testbed.drive.figures.trial import TrialFigures, analyse
from testbed.drive.figures.validity import Limits
from testbed.record.damage import naming
from testbed.record.model import ExperimentRecording, TrialHeader
from testbed.record.typed import typed
from testbed.report.numbers import listed
from testbed.runs.compare.verdicts import Judged, by_cell, cell_name, judge
from testbed.stack.sides.side import Side, SideError, labels, title


@dataclass(frozen=True)
class CellComparison:
    """The sides of one cell, as texts, the first of them the reference.

    ``factors`` has the level of each factor, as the plan names it.
    """

    factors: Mapping[str, Any]
    sides: tuple[str, ...]
    blocks: int
    rows: tuple[Judged, ...]

    @property
    def name(self) -> str:
        """The levels of the factors in a few words; empty if there are no factors."""
        return cell_name(self.factors)

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each side, distinct also when a side is compared with itself."""
        return labels(self.sides)

    @property
    def ratio_labels(self) -> tuple[str, ...]:
        """A name for the ratio of each side to the first; there is none of the first."""
        return ratio_labels(self.labels)

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

    sides: tuple[str, ...]
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

    @property
    def freshness(self) -> str:
        """Say on what every trial ran: of a server that was there already nothing is fresh."""
        there = [each for each in self.sides if Side.parse(each).addresses]
        but = f" but for {listed(there)}, as it was there" if there else ""
        return f"every trial on a fresh stack{but}"

    def side_of(self, header: TrialHeader) -> str:
        """Return the side of a trial as a reader knows it."""
        return title(_text(header, self.sides))


def ratio_labels(names: Sequence[str]) -> tuple[str, ...]:
    """Return a name for the ratio of each side to the first, of sides with these labels."""
    return tuple(_ratio_label(names[0], each) for each in names[1:])


def _ratio_label(first: str, second: str) -> str:
    """Leave out what equal sides have in common: ``2nd/1st``."""
    one, two = first.split(), second.split()
    return f"{two[-1]}/{one[-1]}" if one[:-1] == two[:-1] else f"{second}/{first}"


def compare(experiment: ExperimentRecording) -> Comparison:
    """Analyse all trials and put the sides of each cell beside each other."""
    with naming(experiment.source):
        limits = _limits(experiment.plan.get("limits", {}))
        for side in experiment.sides:
            _check_written(side)
    trials = tuple(analyse(each, limits) for each in experiment.trials)
    needed = set(experiment.needed)
    return Comparison(
        sides=experiment.sides,
        blocks=max((each.header.block for each in trials), default=0),
        planned_trials=len(needed),
        trials=trials,
        cells=cells_of(trials, experiment.sides),
        missing=tuple(sorted(needed - {each.header.number for each in trials if each.valid})),
        ended=experiment.ended,
    )


def _limits(recorded: Any) -> Limits:
    """Read what a run was held to; one that was made before there was a floor had none."""
    if isinstance(recorded, dict) and recorded:
        recorded = {"send_delay_floor_ms": 0.0, **recorded}
    limits: Limits = typed(recorded, Limits, "plan.limits")
    return limits


def _check_written(side: str) -> None:
    """Raise ``ValueError`` for the text of a recorded side that is none."""
    try:
        Side.parse(side)
    except SideError as error:
        raise ValueError(f"plan.sides: {error}") from error


def cells_of(trials: Sequence[TrialFigures], sides: Sequence[str]) -> tuple[CellComparison, ...]:
    """Put the trials of each cell together; cells come in the order of their levels.

    ``sides`` are those of the plan. In a recording of several pairs of designs they are the first
    pair, and those of a cell are what its trials say.
    """
    groups = sorted(by_cell(trials), key=lambda group: _order(group[0]))
    return tuple(_cell(factors, own, sides) for factors, own in groups)


def _cell(
    factors: Mapping[str, Any], trials: Sequence[TrialFigures], sides: Sequence[str]
) -> CellComparison:
    ran = {each.header.side: _text(each.header, sides) for each in trials}
    own = tuple(ran.get(side, text) for side, text in enumerate(sides))
    return CellComparison(
        factors=factors,
        sides=own,
        blocks=max(each.header.block for each in trials),
        rows=judge(trials, labels(own)),
    )


def _text(header: TrialHeader, sides: Sequence[str]) -> str:
    """Return the side of a trial: that of the plan, but where that is another design's."""
    text = sides[header.side]
    design = Side.parse(text).design
    return header.design if design and header.design != design else text


def _order(factors: Mapping[str, Any]) -> tuple[tuple[int, float, str], ...]:
    """Sort numbers as numbers and words as words."""
    return tuple(
        (0, float(each), "") if isinstance(each, int | float) else (1, 0.0, str(each))
        for each in factors.values()
    )
