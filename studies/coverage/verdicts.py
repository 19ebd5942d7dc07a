"""How often verdicts are wrong on identical systems, and how often they see a difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from studies.tables import percent, progress, table
from testbed.stats import Measured, RatioOutcome, noise_floor, ratio_interval, verdicts

METRICS = 30
LEVEL = 0.05
SPREAD = 0.05
SHOWN = {RatioOutcome.REFERENCE_BETTER, RatioOutcome.SIDE_BETTER}
# Orders of the trials of a block: side 0 or 1.
ORDERS = {1: ([0, 1], [1, 0]), 2: ([0, 1, 1, 0], [1, 0, 0, 1])}


def report(
    rng: np.random.Generator, blocks: int, trials: int, ratio: float, drift: float
) -> list[Measured]:
    """Return 30 metrics of which half of the noise is shared, as in one trial.

    Blocks have ``trials`` of each side, mirrored if two, and each is slower by ``drift`` than the
    one before.
    """
    count = 2 * trials
    shared = rng.standard_normal((blocks, count, 1))
    own = rng.standard_normal((blocks, count, METRICS))
    logs = SPREAD * (shared + own) / np.sqrt(2) + drift * np.arange(count)[:, None]
    orders = np.array(ORDERS[trials])[rng.integers(2, size=blocks)]
    logs[orders == 1] += np.log(ratio)
    sides = [np.exp(logs[orders == side]).reshape(blocks, trials, METRICS) for side in (0, 1)]
    return [_measured(*(side[:, :, each].tolist() for side in sides)) for each in range(METRICS)]


def _measured(first: list[list[float]], second: list[list[float]]) -> Measured:
    return Measured("", ratio_interval(first, second), noise_floor(first, second), "lower")


def study(repeats: int, seed: int) -> str:
    """Return a table: reports on identical systems that name a difference, and power."""
    rows = []
    for ratio, drift in ((1.0, 0.0), (1.0, 0.03), (0.9, 0.0), (0.8, 0.0)):
        for blocks in (3, 5, 8):
            for trials in ORDERS:
                progress(f"verdicts: {blocks} blocks of {trials}, ratio {ratio}, drift {drift}")
                rng = np.random.default_rng([seed, blocks])
                runs = [report(rng, blocks, trials, ratio, drift) for _ in range(repeats)]
                truth = f"{ratio:g}{f', drift of {100 * drift:.0f} % a trial' if drift else ''}"
                rows.append([truth, str(blocks), str(trials), *_rates(runs, ratio == 1)])
    head = ["true ratio", "blocks", "trials of a side", "each alone", "Holm"]
    return table([*head, "**Benjamini-Hochberg**"], rows)


def _rates(runs: Sequence[Sequence[Measured]], are_equal: bool) -> list[str]:
    """Return rates in percent: reports with any difference if there is none, else metrics with."""
    seen = np.zeros((len(runs), 3, METRICS), dtype=bool)
    for row, family in enumerate(runs):
        raw = np.array([each.ratio.p_value() for each in family if each.ratio])
        seen[row, 0] = raw <= LEVEL
        seen[row, 1] = _holm(raw)
        seen[row, 2] = [each.outcome in SHOWN for each in verdicts(family)]
    rates = seen.any(axis=2).mean(axis=0) if are_equal else seen.mean(axis=(0, 2))
    return [percent(float(rate)) for rate in rates]


def _holm(raw: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which hypotheses Holm's method (1979) rejects."""
    order = np.argsort(raw)
    passed = raw[order] <= LEVEL / np.arange(len(raw), 0, -1)
    count = len(raw) if passed.all() else int(np.argmin(passed))
    rejected = np.zeros(len(raw), dtype=bool)
    rejected[order[:count]] = True
    return rejected
