"""How often the intervals of the scalability law's parameters hold the truth."""

from __future__ import annotations

import math

import numpy as np

from studies.coverage import synthetic
from studies.tables import percent, progress, table
from testbed.stats.usl import UslFit, fit_usl

SYSTEMS = {
    "contention and coherency": (100.0, 0.05, 0.0005),
    "contention alone": (100.0, 0.1, 0.0),
    "linear": (100.0, 0.0, 0.0),
}
LOADS = {
    "6 loads": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
    "7 loads, each twice": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0] * 2,
}


def study(repeats: int, seed: int) -> str:
    """Return a table: coverage in percent of each parameter with 3 % of noise."""
    rows = []
    for system, truth in SYSTEMS.items():
        for points, loads in LOADS.items():
            progress(f"scalability law: {system}, {points}")
            rng = np.random.default_rng([seed, len(loads)])
            fits = [_fit(rng, loads, truth, seed) for _ in range(repeats)]
            rows.append([system, points, *_cells(fits, truth)])
    head = ["system", "points", "lambda", "sigma", "kappa", "peak load", "fits without a peak"]
    return table(head, rows)


def _fit(
    rng: np.random.Generator, loads: list[float], truth: tuple[float, float, float], seed: int
) -> UslFit:
    rates = synthetic.throughput(np.array(loads), *truth)
    noisy = rates * np.exp(0.03 * rng.standard_normal(len(loads)))
    fit = fit_usl(loads, noisy.tolist(), seed=seed)
    assert fit is not None, "there are enough loads"
    return fit


def _cells(fits: list[UslFit], truth: tuple[float, float, float]) -> list[str]:
    held = [
        sum(interval.holds(true) for interval in column) / len(fits)
        for column, true in (
            ([fit.lambda_ for fit in fits], truth[0]),
            ([fit.sigma for fit in fits], truth[1]),
            ([fit.kappa for fit in fits], truth[2]),
        )
    ]
    peaks = [fit.peak_load for fit in fits if fit.peak_load is not None]
    peak = math.sqrt((1 - truth[1]) / truth[2]) if truth[2] else math.inf
    share = sum(each.holds(peak) for each in peaks) / len(peaks) if peaks else 0.0
    return [*map(percent, held), percent(share), percent(1 - len(peaks) / len(fits))]
