"""The mean of a per-second series whose seconds depend on each other.

Neighbouring seconds of a running system are alike: a backlog or a busy neighbour lasts for
several. Taken as independent they make an interval far too narrow.

The method is batch means (Law, Simulation Modeling and Analysis, section 9.5.3) with few seconds
per batch, and what correlation is left between batches is taken as that of an AR(1) process, its
coefficient corrected for the bias of short series (Kendall 1954; Marriott and Pope 1954). Batches
alone, AR(1) alone and the stationary bootstrap cover less (``docs/statistics.md``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from testbed.stats.intervals import Interval, check_confidence

SHORTEST = 10
BATCHES = 20
HIGHEST_CORRELATION = 0.98

Floats = NDArray[np.float64]


def mean_interval(series: Sequence[float], confidence: float = 0.95) -> Interval | None:
    """Return the mean of ``series`` (one value per second, steady state only) and its interval.

    Unit as the series; ``blocks`` is how many independent batches of seconds the series is worth,
    rounded down. Returns ``None`` for fewer than ten values. Raises ``ValueError`` if one is not
    finite.
    """
    check_confidence(confidence)
    values = checked(series)
    if len(values) < SHORTEST:
        return None
    spread = _spread(values)
    middle = float(values.mean())
    reach = spread.error * float(stats.t.ppf((1 + confidence) / 2, spread.independent - 1))
    return Interval(middle, middle - reach, middle + reach, int(spread.independent), confidence)


def long_run_variance(series: Sequence[float] | Floats) -> float:
    """Return n times the variance of the mean of a series, autocorrelation included.

    For independent values it is their variance. Raises ``ValueError`` for fewer than ten values or
    one that is not finite.
    """
    values = checked(series)
    if len(values) < SHORTEST:
        raise ValueError(f"{len(values)} values: autocorrelation takes at least {SHORTEST}")
    return len(values) * _spread(values).error ** 2


def checked(series: Sequence[float] | Floats) -> Floats:
    """Return the series as an array, shape (seconds,). Raises ``ValueError`` if not finite."""
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"a series has one value per second, not the shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("a value of the series is not finite: leave out what was not measured")
    return values


def batched(values: Floats, size: int) -> Floats:
    """Return the means of batches of ``size`` values; a remainder at the start is left out."""
    count = len(values) // size
    means: Floats = values[len(values) - count * size :].reshape(count, size).mean(axis=1)
    return means


def correlation(residuals: Floats, fitted: int) -> float:
    """Return the correlation of neighbours, 0 to 0.98, corrected for bias.

    ``fitted`` is how many parameters the residuals are left from: 1 for a mean, 2 for a line.
    """
    total = float(residuals @ residuals)
    if total == 0:
        return 0.0
    raw = float(residuals[1:] @ residuals[:-1]) / total
    return min(max(raw + (fitted + 3 * raw) / len(residuals), 0.0), HIGHEST_CORRELATION)


@dataclass(frozen=True)
class _Spread:
    """Standard error of a mean, and how many independent values it is worth (2 or more)."""

    error: float
    independent: float


def _spread(values: Floats) -> _Spread:
    means = batched(values, max(1, len(values) // BATCHES))
    residuals = means - means.mean()
    related = correlation(residuals, fitted=1)
    inflation = (1 + related) / (1 - related)
    independent = max(2.0, len(means) / inflation)
    # Correlated values spread less around their own mean than around the true one.
    variance = float(residuals @ residuals) / len(means) / (1 - 1 / independent)
    return _Spread(math.sqrt(variance * inflation / len(means)), independent)
