"""The mean of a per-second series whose seconds depend on each other.

Neighbouring seconds of a running system are alike: a backlog or a busy neighbour lasts for
several. Taken as independent they make an interval far too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from testbed.statistics.intervals import Interval, check_confidence

SHORTEST = 10
BATCHES = 10


def mean_interval(series: Sequence[float], confidence: float = 0.95) -> Interval | None:
    """Return the mean of ``series`` (one value per second, steady state only) and its interval.

    ``blocks`` is the number of independent seconds that the interval counts with. Returns ``None`` for fewer than ten values. Raises ``ValueError``
    if one is not finite.
    """
    raise NotImplementedError


def long_run_variance(series: Sequence[float] | NDArray[np.float64]) -> float:
    """Return n times the variance of the mean of a series, autocorrelation included."""
    raise NotImplementedError
