"""One experiment as the sections of a report see it: cells, sides, trials and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.drive.figures.trial import TrialFigures
from testbed.record import files
from testbed.record.damage import RecordingError
from testbed.record.model import ExperimentRecording, LoadRecording, TrialRecording, Window
from testbed.record.reader import read_experiment
from testbed.runs.compare.comparison import CellComparison, Comparison, compare, ratio_labels
from testbed.runs.faults.figures.model import FaultFigures
from testbed.stack.sides.side import Side

OnProgress = Callable[[str], None]


@dataclass(frozen=True)
class SeenTrial:
    """A trial as recorded and its figures, with the trial in words."""

    recorded: TrialRecording
    figures: TrialFigures
    name: str

    def measured(self) -> tuple[LoadRecording, Window]:
        """Return what the load generator saw and the window that is measured, of a valid trial."""
        if self.recorded.load is None or self.figures.cut is None:
            raise ValueError(f"{self.name} did not complete")
        return self.recorded.load, self.figures.cut.window


@dataclass(frozen=True)
class CellView:
    """A cell of the plan, all sides of it, with its trials. ``slug`` is unique on the page."""

    compared: CellComparison
    trials: tuple[SeenTrial, ...]
    slug: str

    @property
    def name(self) -> str:
        """The cell in words, empty if there is only one."""
        return self.compared.name

    @property
    def labels(self) -> tuple[str, ...]:
        """A short name for each side."""
        return self.compared.labels

    @property
    def sides(self) -> range:
        """The places of the sides in the plan."""
        return range(len(self.compared.sides))

    def valid(self, side: int) -> list[SeenTrial]:
        """Return the trials of a side that may be compared."""
        return [
            trial
            for trial in self.trials
            if trial.figures.valid and trial.figures.header.side == side
        ]

    def blocks(self) -> int:
        """Return the number of blocks in which all sides have a valid trial."""
        sides = [{trial.figures.header.block for trial in self.valid(side)} for side in self.sides]
        return len(set.intersection(*sides))

    def value(self, metric: str, side: int) -> float | None:
        """Return the median of a metric of a side."""
        row = self.compared.row(metric)
        return row.medians[side] if row else None


@dataclass(frozen=True)
class View:
    """A whole experiment."""

    folder: Path
    recorded: ExperimentRecording
    compared: Comparison
    cells: tuple[CellView, ...]
    faults: Sequence[FaultFigures] = ()

    @property
    def plan(self) -> Mapping[str, Any]:
        """The plan as plain data."""
        return self.recorded.plan

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where it comes from."""
        return self.recorded.provenance

    @property
    def name(self) -> str:
        """The name of the plan, or of the folder where that has none."""
        return str(self.plan.get("name") or self.folder.resolve().parent.name)

    @property
    def labels(self) -> tuple[str, ...]:
        """A short name for each side that holds for all cells."""
        pairs = {cell.labels for cell in self.cells}
        return pairs.pop() if len(pairs) == 1 else ("1st", "2nd")

    @property
    def ratio_labels(self) -> tuple[str, ...]:
        """The ratio of each side to the first in words."""
        return ratio_labels(self.labels)

    @property
    def titles(self) -> tuple[str, ...]:
        """What each side is, as the plan describes it; nothing if that differs between cells."""
        if len({cell.compared.sides for cell in self.cells}) > 1:
            return ("",) * len(self.labels)
        titles = self.plan.get("titles", {})
        sides = self.cells[0].compared.sides
        return tuple(str(titles.get(Side.parse(side).design, "")) for side in sides)

    @property
    def has_noise_floor(self) -> bool:
        """Whether a side ran twice in a block, so that the run shows its own noise."""
        rows = (row for cell in self.cells for row in cell.compared.rows)
        return any(each.floor is not None for row in rows for each in row.against)

    def trials(self) -> Iterator[SeenTrial]:
        """Give all trials, cell by cell."""
        for cell in self.cells:
            yield from cell.trials

    def loops(self) -> set[str]:
        """Return the kinds of loop that the trials were driven with."""
        return {trial.recorded.load.loop for trial in self.trials() if trial.recorded.load}

    def started(self) -> str:
        """Return when the first trial began, as an ISO time, or nothing."""
        times = [trial.figures.header.started for trial in self.trials()]
        return min((time for time in times if time), default="")


def trial_name(trial: TrialFigures, compared: Comparison) -> str:
    """Name a trial for a reader."""
    header = trial.header
    again = f", attempt {header.attempt}" if header.attempt > 1 else ""
    return f"trial {header.number} (block {header.block}, {compared.side_of(header)}{again})"


def read(folder: Path, on_progress: OnProgress) -> View:
    """Read and analyse an experiment.

    Raises :class:`testbed.errors.TestbedError` naming what is missing or damaged.
    """
    on_progress(f"reading {folder}")
    recorded = read_experiment(folder)
    if not recorded.trials:
        raise RecordingError(f"{folder / files.TRIALS} holds no trial: nothing ran")
    on_progress(f"working out {len(recorded.trials)} trials")
    return of(folder, recorded, compare(recorded))


def of(
    folder: Path,
    recorded: ExperimentRecording,
    compared: Comparison,
    faults: Sequence[FaultFigures] = (),
) -> View:
    """Put an experiment and what was worked out of it side by side.

    ``faults`` are the figures of the fault run that it ended with, a side after the other.
    """
    seen = [
        SeenTrial(trial, figures, trial_name(figures, compared))
        for trial, figures in zip(recorded.trials, compared.trials, strict=True)
    ]
    cells = tuple(
        CellView(
            cell,
            tuple(each for each in seen if each.figures.header.plan_cell == cell.factors),
            f"c{index}",
        )
        for index, cell in enumerate(compared.cells)
    )
    return View(folder, recorded, compared, cells, faults)
