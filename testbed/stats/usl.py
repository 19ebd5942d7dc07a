"""The Universal Scalability Law: throughput against load, with what limits it.

Gunther, Guerrilla Capacity Planning (2007), chapter 4, and "A General Theory of Computational
Scalability Based on Rational Functions" (arXiv:0808.1431).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from testbed.stats.intervals import Interval, check_confidence

LEAST_LOADS = 4
RESAMPLES = 500
STEPS = 30

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class UslFit:
    """Throughput X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)).

    ``lambda_`` is the throughput at load 1 (unit of throughput per unit of load), ``sigma`` the
    share of contention (0 to 1), ``kappa`` of coherency (0 or more); each with its interval,
    ``blocks`` counting the points. ``peak_load`` and ``peak_throughput`` are ``None`` where the fit
    has no peak (``kappa`` is 0); their upper ends are infinite where the data do not exclude that.
    ``error`` is the residual standard error, relative to the throughput; ``highest_load`` the
    highest load that was measured, beyond which the law is a guess.
    """

    lambda_: Interval
    sigma: Interval
    kappa: Interval
    peak_load: Interval | None
    peak_throughput: Interval | None
    error: float
    highest_load: float

    def predict(self, load: float) -> float:
        """Return the throughput at ``load``, in the unit of the data."""
        growth = self.sigma.estimate * (load - 1) + self.kappa.estimate * load * (load - 1)
        return self.lambda_.estimate * load / (1 + growth)

    @property
    def extrapolated(self) -> bool:
        """Whether the peak lies beyond the loads that were measured."""
        return self.peak_load is not None and self.peak_load.estimate > self.highest_load


def fit_usl(
    load: Sequence[float],
    throughput: Sequence[float],
    confidence: float = 0.95,
    *,
    seed: int = 0,
) -> UslFit | None:
    """Fit the law to ``throughput[i]`` measured at ``load[i]`` (users, or workers; 1 or more).

    Several measurements of the same load are welcome. Least squares of the relative error, with
    ``sigma`` and ``kappa`` not below 0; intervals by a bootstrap of the residuals.

    Returns ``None`` for fewer than four different loads (three parameters through three points
    leave nothing to judge the fit by), and if the throughput falls so steeply from the lowest load
    on that no throughput at load 1 follows. Raises ``ValueError`` if the lengths differ, a load is
    below 1, or a throughput is not above 0 and finite.
    """
    check_confidence(confidence)
    loads, rates = _checked(load, throughput)
    if len(np.unique(loads)) < LEAST_LOADS:
        return None
    basis = np.column_stack([np.ones_like(loads), loads, loads * (loads - 1)])
    costs = np.log(loads / rates)
    best = _fit(basis, costs)
    if best[0] + best[1] <= 0:
        return None
    fitted = np.log(basis @ best)
    freedom = max(1, len(loads) - int(np.count_nonzero(best)))
    error = math.sqrt(float(np.sum((costs - fitted) ** 2)) / freedom)
    again = _resample(basis, costs - fitted, fitted, freedom, seed)
    return _described(best, again, freedom, confidence, error, loads)


def _checked(load: Sequence[float], throughput: Sequence[float]) -> tuple[Floats, Floats]:
    loads, rates = np.asarray(load, dtype=np.float64), np.asarray(throughput, dtype=np.float64)
    if loads.shape != rates.shape or loads.ndim != 1:
        raise ValueError(f"{len(load)} loads and {len(throughput)} throughputs: one for each")
    if not (np.isfinite(loads).all() and (loads >= 1).all()):
        raise ValueError("a load is below 1 or not finite")
    if not (np.isfinite(rates).all() and (rates > 0).all()):
        raise ValueError("a throughput is not above 0: leave out a load that got no answer")
    return loads, rates


def _fit(basis: Floats, costs: Floats) -> Floats:
    """Return coefficients (each 0 or more) of cost = N / X that fit the logs of the costs best.

    N / X is linear in them: c0 + c1 N + c2 N (N - 1), so that lambda = 1 / (c0 + c1), sigma =
    c1 / (c0 + c1) and kappa = c2 / (c0 + c1). Each step of Gauss and Newton is a non-negative
    linear least-squares problem (Lawson and Hanson, 1974), which has one solution.
    """
    guess = np.exp(costs)
    coefficients = np.zeros(basis.shape[1])
    for _ in range(STEPS):
        # 1 + log(cost / guess) is the cost in units of the guess, to first order.
        found, _residual = optimize.nnls(
            basis / guess[:, None], np.maximum(1 + costs - np.log(guess), 0.05)
        )
        done = np.allclose(found, coefficients, rtol=1e-7, atol=1e-12 * float(guess.max()))
        coefficients, guess = found, basis @ found
        if done:
            break
    return coefficients


def _resample(basis: Floats, residuals: Floats, fitted: Floats, freedom: int, seed: int) -> Floats:
    """Return coefficients fitted to data made of the fit and shuffled residuals, (resamples, 3)."""
    rng = np.random.default_rng(seed)
    spread = (residuals - residuals.mean()) * math.sqrt(len(residuals) / freedom)
    drawn = rng.choice(spread, size=(RESAMPLES, len(spread)))
    return np.array([_fit(basis, fitted + row) for row in drawn])


def _described(
    best: Floats, again: Floats, freedom: int, confidence: float, error: float, loads: Floats
) -> UslFit:
    values, spread = _parameters(best[None, :])[:, 0], _parameters(again)
    # A normal quantile is too small for a spread estimated from few points.
    tail = (1 - confidence) / 2
    tail = float(stats.norm.sf(stats.t.isf(tail, freedom)))

    def interval(which: int) -> Interval:
        low, high = np.quantile(spread[which], [tail, 1 - tail], method="closest_observation")
        value = float(values[which])
        return Interval(
            value, min(value, float(low)), max(value, float(high)), len(loads), confidence
        )

    peaks = best[2] > 0
    return UslFit(
        lambda_=interval(0),
        sigma=interval(1),
        kappa=interval(2),
        peak_load=interval(3) if peaks else None,
        peak_throughput=interval(4) if peaks else None,
        error=error,
        highest_load=float(loads.max()),
    )


def _parameters(coefficients: Floats) -> Floats:
    """Return lambda, sigma, kappa, load and throughput of the peak, each of shape (fits,)."""
    first, second, third = coefficients.T
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = 1 / (first + second)
        sigma, kappa = second * rate, third * rate
        peak = np.maximum(1.0, np.sqrt(first / third))
        top = np.where(
            third > 0, peak / (first + second * peak + third * peak * (peak - 1)), 1 / second
        )
    return np.array([rate, sigma, kappa, np.where(third > 0, peak, np.inf), top])
