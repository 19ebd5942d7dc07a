"""Methods that were tried against each other; ``testbed.statistics.coverage`` measures them.

Not part of the interface: the ones that won are in ``ratios``, ``means``, ``steady``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Ends = tuple[float, float]
Method = Callable[[Floats, float, np.random.Generator], Ends]

RESAMPLES = 999


def student(logs: Floats, confidence: float, _chance: np.random.Generator) -> Ends:
    """Student's t on the log ratios of the blocks, shape (blocks,)."""
    reach = stats.t.ppf((1 + confidence) / 2, len(logs) - 1) * logs.std(ddof=1)
    reach /= math.sqrt(len(logs))
    return float(logs.mean() - reach), float(logs.mean() + reach)


def percentile(logs: Floats, confidence: float, chance: np.random.Generator) -> Ends:
    """Percentile bootstrap over blocks (Efron 1979)."""
    means = _draw(logs, chance).mean(axis=1)
    low, high = np.quantile(means, _tails(confidence))
    return float(low), float(high)


def bca(logs: Floats, confidence: float, chance: np.random.Generator) -> Ends:
    """Bias-corrected and accelerated bootstrap over blocks (Efron 1987)."""
    means = _draw(logs, chance).mean(axis=1)
    below = (np.count_nonzero(means < logs.mean()) + 0.5) / (len(means) + 1)
    bias = stats.norm.ppf(below)
    left = (logs.sum() - logs) / (len(logs) - 1)
    pull = left.mean() - left
    size = np.sum(pull**2) ** 1.5
    bend = np.sum(pull**3) / (6 * size) if size else 0.0
    normal = bias + stats.norm.ppf(_tails(confidence))
    low, high = np.quantile(means, stats.norm.cdf(bias + normal / (1 - bend * normal)))
    return float(low), float(high)


def studentised(logs: Floats, confidence: float, chance: np.random.Generator) -> Ends:
    """Bootstrap-t over blocks (Hall 1988); resamples without spread are left out."""
    drawn = _draw(logs, chance)
    spreads = drawn.std(axis=1, ddof=1)
    some = spreads > 1e-12 * max(1e-12, float(logs.std()))
    values = (drawn[some].mean(axis=1) - logs.mean()) / spreads[some]
    low, high = np.quantile(values, _tails(confidence))
    return float(logs.mean() - high * logs.std(ddof=1)), float(
        logs.mean() - low * logs.std(ddof=1)
    )


def signed_rank(logs: Floats, confidence: float, _chance: np.random.Generator) -> Ends:
    """Hodges-Lehmann interval of Wilcoxon's signed rank test; infinite for too few blocks."""
    rows, columns = np.triu_indices(len(logs))
    averages = np.sort((logs[rows] + logs[columns]) / 2)
    chances = _signed_rank_sums(len(logs)).cumsum()
    cut = int(np.searchsorted(chances, (1 - confidence) / 2, side="right"))
    if cut == 0:
        return -math.inf, math.inf
    return float(averages[cut - 1]), float(averages[len(averages) - cut])


RATIOS: dict[str, Method] = {
    "t": student,
    "percentile": percentile,
    "BCa": bca,
    "bootstrap-t": studentised,
    "signed rank": signed_rank,
}


def _draw(values: Floats, chance: np.random.Generator) -> Floats:
    return chance.choice(values, size=(RESAMPLES, len(values)))


def _tails(confidence: float) -> Floats:
    return np.array([(1 - confidence) / 2, (1 + confidence) / 2])


def _signed_rank_sums(count: int) -> Floats:
    """Return the probability of each sum of signed ranks, 0 to n (n + 1) / 2."""
    ways = np.ones(1)
    for rank in range(1, count + 1):
        ways = np.concatenate([ways, np.zeros(rank)]) + np.concatenate([np.zeros(rank), ways])
    return ways / 2.0**count
