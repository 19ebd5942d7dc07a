"""Works out everything that is written of an experiment, from its folder alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from testbed.record.model import ExperimentRecording
from testbed.record.reader import read_experiment
from testbed.runs.compare.comparison import Comparison, compare
from testbed.runs.compare.report import files, html, inside, junit, summary
from testbed.runs.compare.report.html import view
from testbed.runs.compare.thresholds import Checked
from testbed.runs.faults import outcome
from testbed.runs.faults.outcome import FaultRunOutcome
from testbed.runs.faults.session import EXPERIMENT

FAULTS = "faults"


@dataclass(frozen=True)
class Rebuilt:
    """What was worked out. ``page`` is ``None`` if no trial ran.

    ``unbroken`` says that the plan ends with a fault run, of which there is nothing.
    """

    recorded: ExperimentRecording
    comparison: Comparison
    checked: tuple[Checked, ...]
    page: Path | None
    faults: FaultRunOutcome | None = None
    unbroken: bool = False

    @property
    def kept(self) -> bool:
        """Whether the designs kept their promises under faults, if the plan has any."""
        return not self.unbroken if self.faults is None else self.faults.kept

    @property
    def passed(self) -> bool:
        """Whether every trial has a valid attempt, thresholds are met and promises were kept."""
        return self.comparison.complete and self.kept and all(each.met for each in self.checked)


def write(
    folder: Path,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Rebuilt:
    """Write all files of a result into the folder of an experiment.

    These are the CSV and JSON files, ``inside.csv``, ``junit.xml``, ``summary.md`` and
    ``report.html``, the last two if any trial ran. ``on_progress`` is called with what goes on.
    Raises :class:`testbed.errors.TestbedError` naming what is missing or damaged.
    """
    on_progress(f"reading {folder}")
    recorded = read_experiment(folder)
    on_progress(f"working out {len(recorded.trials)} trials")
    comparison = compare(recorded)
    checked = junit.check(comparison, recorded.plan, recorded.source)
    files.write_all(folder, comparison, recorded.plan, recorded.provenance)
    inside.write_trials(folder, recorded.trials)
    faults = None
    if (folder / FAULTS / EXPERIMENT).exists():
        faults = outcome.write(folder / FAULTS, on_progress)
    seen = view.of(folder, recorded, comparison, faults.figures if faults else ())
    junit.write(folder, seen.name, comparison, checked, set(recorded.needed))
    unbroken = faults is None and bool(recorded.plan.get("faults"))
    if not recorded.trials:
        return Rebuilt(recorded, comparison, checked, None, faults, unbroken)
    summary.write(folder, seen.name, comparison, recorded.plan, checked)
    on_progress("drawing")
    return Rebuilt(recorded, comparison, checked, html.draw(seen), faults, unbroken)
