"""Methods that were tried against each other. The ones that won are used outside of here."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from testbed.stats.means import batched, correlation, mean_interval

Floats = NDArray[np.float64]
Ends = tuple[float, float]
Method = Callable[[Floats, float, np.random.Generator], Ends]

RESAMPLES = 999


def student(logs: Floats, confidence: float, _rng: np.random.Generator) -> Ends:
    """Student's t on the log ratios of the blocks, shape (blocks,)."""
    reach = stats.t.ppf((1 + confidence) / 2, len(logs) - 1) * logs.std(ddof=1)
    reach /= math.sqrt(len(logs))
    return float(logs.mean() - reach), float(logs.mean() + reach)


def percentile(logs: Floats, confidence: float, rng: np.random.Generator) -> Ends:
    """Percentile bootstrap over blocks (Efron 1979)."""
    means = _draw(logs, rng).mean(axis=1)
    low, high = np.quantile(means, _tails(confidence))
    return float(low), float(high)


def bca(logs: Floats, confidence: float, rng: np.random.Generator) -> Ends:
    """Bias-corrected and accelerated bootstrap over blocks (Efron 1987)."""
    means = _draw(logs, rng).mean(axis=1)
    below = (np.count_nonzero(means < logs.mean()) + 0.5) / (len(means) + 1)
    bias = stats.norm.ppf(below)
    left = (logs.sum() - logs) / (len(logs) - 1)
    pull = left.mean() - left
    size = np.sum(pull**2) ** 1.5
    bend = np.sum(pull**3) / (6 * size) if size else 0.0
    normal = bias + stats.norm.ppf(_tails(confidence))
    low, high = np.quantile(means, stats.norm.cdf(bias + normal / (1 - bend * normal)))
    return float(low), float(high)


def studentised(logs: Floats, confidence: float, rng: np.random.Generator) -> Ends:
    """Bootstrap-t over blocks (Hall 1988); resamples without spread are left out."""
    drawn = _draw(logs, rng)
    spreads = drawn.std(axis=1, ddof=1)
    some = spreads > 1e-12 * max(1e-12, float(logs.std()))
    values = (drawn[some].mean(axis=1) - logs.mean()) / spreads[some]
    low, high = np.quantile(values, _tails(confidence))
    return float(logs.mean() - high * logs.std(ddof=1)), float(logs.mean() - low * logs.std(ddof=1))


def signed_rank(logs: Floats, confidence: float, _rng: np.random.Generator) -> Ends:
    """Hodges-Lehmann interval of Wilcoxon's signed rank test; infinite for too few blocks."""
    rows, columns = np.triu_indices(len(logs))
    averages = np.sort((logs[rows] + logs[columns]) / 2)
    probabilities = _signed_rank_sums(len(logs)).cumsum()
    cut = int(np.searchsorted(probabilities, (1 - confidence) / 2, side="right"))
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


def independent(series: Floats, confidence: float, _rng: np.random.Generator) -> Ends:
    """Student's t as if the seconds were independent."""
    return student(series, confidence, _rng)


def autoregressive(series: Floats, confidence: float, _rng: np.random.Generator) -> Ends:
    """Student's t with the effective number of seconds of an AR(1) process."""
    residuals = series - series.mean()
    related = correlation(residuals, fitted=1)
    inflation = (1 + related) / (1 - related)
    worth = max(2.0, len(series) / inflation)
    variance = series.var() / (1 - 1 / worth) * inflation / len(series)
    reach = stats.t.ppf((1 + confidence) / 2, worth - 1) * math.sqrt(variance)
    return float(series.mean() - reach), float(series.mean() + reach)


def ten_batches(series: Floats, confidence: float, rng: np.random.Generator) -> Ends:
    """Student's t on the means of ten batches."""
    return student(batched(series, len(series) // 10), confidence, rng)


def stationary(series: Floats, confidence: float, rng: np.random.Generator) -> Ends:
    """Stationary bootstrap (Politis and Romano 1994), mean block of the cube root of the length."""
    count, resamples = len(series), 299
    fresh = rng.random((resamples, count)) < 1 / (1.5 * count ** (1 / 3))
    fresh[:, 0] = True
    starts = rng.integers(count, size=(resamples, count))
    places = np.arange(count)
    begun = np.maximum.accumulate(np.where(fresh, places, 0), axis=1)
    picked = (np.take_along_axis(starts, begun, axis=1) + places - begun) % count
    low, high = np.quantile(series[picked].mean(axis=1), _tails(confidence))
    return float(low), float(high)


def chosen(series: Floats, confidence: float, _rng: np.random.Generator) -> Ends:
    """The method of :func:`testbed.stats.mean_interval`."""
    interval = mean_interval(series.tolist(), confidence)
    assert interval is not None, "the series are long enough"
    return interval.low, interval.high


MEANS: dict[str, Method] = {
    "independent": independent,
    "AR(1)": autoregressive,
    "ten batches": ten_batches,
    "stationary bootstrap": stationary,
    "**batches and AR(1)**": chosen,
}


def _draw(values: Floats, rng: np.random.Generator) -> Floats:
    return rng.choice(values, size=(RESAMPLES, len(values)))


def _tails(confidence: float) -> Floats:
    return np.array([(1 - confidence) / 2, (1 + confidence) / 2])


def _signed_rank_sums(count: int) -> Floats:
    """Return the probability of each sum of signed ranks, 0 to n (n + 1) / 2."""
    ways = np.ones(1)
    for rank in range(1, count + 1):
        ways = np.concatenate([ways, np.zeros(rank)]) + np.concatenate([np.zeros(rank), ways])
    return ways / 2.0**count
