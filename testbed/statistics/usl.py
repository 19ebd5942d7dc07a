"""The Universal Scalability Law: throughput against load, with what limits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from testbed.statistics.intervals import Interval


@dataclass(frozen=True)
class UslFit:
    """Throughput X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)).

    ``lambda_`` is the throughput at load 1 (unit of throughput per unit of load), ``sigma`` the
    share of contention, ``kappa`` of coherency; each with its interval, ``blocks`` counting the
    points. ``peak_load`` and ``peak_throughput`` are ``None`` where the fit has no peak
    (``kappa`` is 0); the upper end of ``peak_load`` is infinite where the data do not exclude that.
    ``error`` is the relative residual standard error.
    """

    lambda_: Interval
    sigma: Interval
    kappa: Interval
    peak_load: Interval | None
    peak_throughput: Interval | None
    error: float

    def predict(self, load: float) -> float:
        """Return the throughput at ``load``, in the unit of the data."""
        growth = self.sigma.estimate * (load - 1) + self.kappa.estimate * load * (load - 1)
        return self.lambda_.estimate * load / (1 + growth)


def fit_usl(
    load: Sequence[float],
    throughput: Sequence[float],
    confidence: float = 0.95,
    *,
    seed: int = 0,
) -> UslFit | None:
    """Fit the law to ``throughput[i]`` measured at ``load[i]`` (users, or workers; 1 or more).

    Several measurements of the same load are welcome. Returns ``None`` for fewer than four
    different loads: three parameters through three points leave nothing to judge the fit by.
    Raises ``ValueError`` if lengths differ or a value is not above 0 and finite.
    """
    raise NotImplementedError
