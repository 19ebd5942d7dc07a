"""Works out everything that is written of an experiment, from its folder alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from testbed.analysis.comparison import Comparison, compare
from testbed.analysis.thresholds import Checked
from testbed.recording.model import ExperimentRecording
from testbed.recording.reader import read_experiment
from testbed.report import files, html, inside, junit
from testbed.report.html import view
from testbed.report.noise import NoiseFloor


@dataclass(frozen=True)
class Rebuilt:
    """What was worked out. ``page`` is ``None`` if no trial ran."""

    recorded: ExperimentRecording
    comparison: Comparison
    checked: tuple[Checked, ...]
    page: Path | None

    @property
    def passed(self) -> bool:
        """Whether every planned trial has a valid attempt and every threshold is met."""
        return self.comparison.complete and all(each.met for each in self.checked)


def write(
    folder: Path,
    noise: NoiseFloor | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Rebuilt:
    """Write all files of a result into the folder of an experiment.

    These are the CSV and JSON files, ``inside.csv``, ``junit.xml`` and ``report.html``, the last
    if any trial ran. ``told`` hears what goes on. Raises :class:`testbed.errors.TestbedError`
    naming what is missing or damaged.
    """
    told(f"reading {folder}")
    recorded = read_experiment(folder)
    told(f"working out {len(recorded.trials)} trials")
    comparison = compare(recorded, noise.ratios if noise else None)
    checked = junit.check(comparison, recorded.plan)
    files.write_all(folder, comparison, recorded.plan, recorded.provenance)
    inside.write_trials(folder, recorded.trials)
    seen = view.of(folder, recorded, comparison, noise)
    junit.write(folder, seen.name, comparison, checked, set(recorded.needed))
    if not recorded.trials:
        return Rebuilt(recorded, comparison, checked, None)
    told("drawing")
    return Rebuilt(recorded, comparison, checked, html.draw(seen))
