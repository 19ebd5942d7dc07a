"""Percentile curves: one line per side, the median over its trials, with their range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.drive.figures.quantiles import TAIL_SAMPLES
from testbed.record.model import FINISHED_STATES
from testbed.report import charts
from testbed.report.charts import Axes, ChartLine
from testbed.report.numbers import NOTHING, listed, number
from testbed.report.page import Chart, Table
from testbed.report.scales import Log, Percentile
from testbed.runs.compare.report.html.view import CellView, SeenTrial

Values = NDArray[np.float64]
Source = Callable[[SeenTrial], Values]

STEP = 0.04
LEAST_SAMPLES = 2 * TAIL_SAMPLES
LONGEST = 5.0
SMALL = (340.0, 230.0)
WIDE = (760.0, 320.0)
NAMED = (0.5, 0.9, 0.99, 0.999)


@dataclass(frozen=True)
class Curve:
    """One side: at each quantile the median over the trials, the least and the greatest.

    ``samples`` is the number of values in the trial that has fewest of them.
    """

    side: int
    quantiles: Sequence[float]
    middle: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    samples: int

    def at(self, quantile: float) -> str:
        """Write the figure at a quantile with its range, or that samples are too few."""
        if self.samples * (1 - quantile) < TAIL_SAMPLES - 1e-9:
            return "too few"
        nearest = min(range(len(self.quantiles)), key=lambda i: abs(self.quantiles[i] - quantile))
        low, high = self.low[nearest], self.high[nearest]
        spread = "" if low == high else f" ({number(low)} to {number(high)})"
        return f"{number(self.middle[nearest])}{spread}"


def calls_of(name: str) -> Source:
    """Return what gives the latencies of one kind of call, in milliseconds."""

    def values(trial: SeenTrial) -> Values:
        load, window = trial.measured()
        series = load.calls.get(name)
        if series is None:
            return np.empty(0)
        parts = [each.values_us() for _, each in series.each_second(load.latency, window)]
        return np.concatenate(parts) / 1000 if parts else np.empty(0)

    return values


def completions(trial: SeenTrial) -> Values:
    """Return the completion times of the jobs created in the window, in milliseconds."""
    _, window = trial.measured()
    return np.array(
        [
            (job.finish_us - job.create_us) / 1000
            for job in trial.recorded.jobs
            if window.holds_us(job.create_us)
            and job.state in FINISHED_STATES
            and job.finish_us is not None
            and job.create_us is not None
        ],
        dtype=np.float64,
    )


def curve(cell: CellView, side: int, source: Source) -> Curve | None:
    """Return the curve of a side, as far as every trial has ten values beyond; else ``None``."""
    trials = [values for trial in cell.valid(side) if (values := source(trial)).size]
    samples = min((values.size for values in trials), default=0)
    if samples < LEAST_SAMPLES:
        return None
    end = min(np.log10(samples / TAIL_SAMPLES), LONGEST)
    places = np.union1d(np.arange(0, end, STEP), [end, *(-np.log10(1 - np.array(NAMED)))])
    quantiles = 1 - 10.0 ** -places[places <= end + 1e-9]
    lines = np.array([np.quantile(each, quantiles, method="inverted_cdf") for each in trials])
    return Curve(
        side,
        quantiles.tolist(),
        np.median(lines, axis=0).tolist(),
        lines.min(axis=0).tolist(),
        lines.max(axis=0).tolist(),
        samples,
    )


def chart(
    name: str, heading: str, curves: Sequence[Curve], labels: Sequence[str], wide: bool = False
) -> Chart:
    """Draw the curves of all sides."""
    top = max(max(each.high) for each in curves)
    least = min(min(each.low) for each in curves)
    furthest = max(each.quantiles[-1] for each in curves)
    axes = Axes(Percentile(furthest), Log.around([least, top]), "percentile", "ms")
    series = [
        ChartLine(
            labels[each.side],
            each.side,
            list(zip(each.quantiles, each.middle, strict=True)),
            list(zip(each.quantiles, each.low, strict=True)),
            list(zip(each.quantiles, each.high, strict=True)),
        )
        for each in curves
    ]
    description = listed(
        [f"{labels[each.side]} p50 {each.at(0.5)} ms, p99 {each.at(0.99)}" for each in curves]
    )
    drawn = charts.lines(
        WIDE if wide else SMALL, name, f"{heading}: percentiles", description, axes, series
    )
    return Chart(drawn, heading)


def table(rows: Sequence[tuple[str, Sequence[Curve]]], labels: Sequence[str]) -> Table:
    """Write the named percentiles of every curve: the median over the trials and their range."""
    written = []
    for name, curves in rows:
        sides = {each.side: each for each in curves}
        for quantile in NAMED:
            cells = [
                sides[side].at(quantile) if side in sides else NOTHING
                for side in range(len(labels))
            ]
            written.append((name, f"{quantile * 100:g}", *cells))
    return Table(
        ("", "percentile", *(f"{label}, ms" for label in labels)),
        written,
        frozenset(range(1, len(labels) + 2)),
    )
