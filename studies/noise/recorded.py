"""Trials of one side in a row: a table with a row for each trial and a column for each metric.

``python -m studies.noise.recorded results/NAME/UTC...`` prints that of experiments whose sides are
all the same.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from testbed.drive.figures import metrics
from testbed.drive.figures.metrics import Metric

DATA = Path(__file__).parent / "data"
CONDITIONS = ("quiet", "disturbed")
JUDGED = {each.name: each for each in metrics.catalogue(metrics.CALLS) if each.better}


@dataclass(frozen=True)
class Recorded:
    """Figures of trials in the order in which they ran, shape (trials, metrics), all above 0."""

    metrics: tuple[Metric, ...]
    values: NDArray[np.float64]

    def place(self, metric: str) -> int:
        """Return the column of a metric."""
        return [each.name for each in self.metrics].index(metric)


def read(condition: str) -> Recorded:
    """Read the trials that were recorded under a condition, ``quiet`` or ``disturbed``."""
    with (DATA / f"{condition}.csv").open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    return Recorded(
        tuple(JUDGED[name] for name in names),
        np.array([[float(cell) for cell in row] for row in rows], dtype=np.float64),
    )


def collect(folders: Sequence[Path]) -> tuple[list[str], list[list[float]]]:
    """Return the metrics that all valid trials of these results have, and a row for each trial."""
    trials: list[dict[str, float]] = []
    for folder in folders:
        found: dict[int, dict[str, float]] = {}
        with (folder / "trials.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["valid"] == "1" and row["value"] and row["metric"] in JUDGED:
                    found.setdefault(int(row["trial"]), {})[row["metric"]] = float(row["value"])
        trials += [found[number] for number in sorted(found)]
    names = [name for name in JUDGED if all(each.get(name, 0) > 0 for each in trials)]
    return names, [[each[name] for name in names] for each in trials]


if __name__ == "__main__":
    columns, lines = collect([Path(each) for each in sys.argv[1:]])
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([f"{value:.6g}" for value in line] for line in lines)
