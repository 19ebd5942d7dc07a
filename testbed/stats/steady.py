"""Where the warm-up of a trial ends, found from its per-second figures.

MSER (White, "An Effective Truncation Heuristic for Bias Reduction in Simulation Output",
Simulation 69, 1997; MSER-5: White, Cobb and Spratt 2000) cuts where the standard error of the mean
of what is left is least: a longer cut removes bias and costs data. It always finds some cut, also
in a series that is steady from its start, and there it cuts off what is unlike the rest by chance.
So a cut is made only if the level changes by more than it does by chance (the CUSUM test: Ploberger
and Kraemer, Econometrica 60, 1992, with the spread of what is left), and two checks decide whether
what is left is steady at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from testbed.stats.means import SHORTEST, batched, checked, correlation, long_run_variance

LARGEST_BATCH = 5
BATCHES = 30
CHANGE_LEVEL = 0.005
DRIFT_LEVEL = 0.005
SHORTEST_TAIL = 0.2
MUCH_STEADIER = 0.3

Floats = NDArray[np.float64]


def warmup_end(series: Sequence[float], *, at_least: int = 0) -> int | None:
    """Return the index at which the steady state begins, ``None`` if it never does.

    ``series`` has one value per second (throughput, a latency, CPU: what should be steady).
    ``at_least`` is the nominal warm-up in seconds: the result is never below it. With fewer than
    ten values after it nothing can be found, and the nominal warm-up stands.

    The cut lies in the first half of the values after the nominal warm-up and leaves ten of them.
    It is later than the nominal warm-up only if the level changes by more than it does by chance in
    one of 200 steady series, autocorrelation respected. "Never" means that what is left still
    drifts (a slope as rare by chance), or that a late part is much steadier than it: the
    level changed in the second half.

    Raises ``ValueError`` if a value is not finite, or if ``at_least`` is negative.
    """
    if at_least < 0:
        raise ValueError(f"at_least is {at_least}; it counts seconds from 0")
    values = checked(series)[at_least:]
    if len(values) < SHORTEST:
        return at_least
    size = min(LARGEST_BATCH, max(1, len(values) // BATCHES))
    # Whole batches from the start, so that the cut is a multiple of their size.
    batches = batched(values[: len(values) // size * size], size)
    scores = _scores(batches)
    half = min(len(batches) // 2, (len(values) - SHORTEST) // size)
    # The first of those that are equal but for rounding.
    cut = int(np.argmax(scores[: half + 1] <= scores[: half + 1].min() + 1e-12 * scores[0]))
    if not _changes(values, cut * size):
        cut = 0
    tail = len(batches) - max(5, math.ceil(SHORTEST_TAIL * len(batches)))
    late = scores[half + 1 : tail + 1]
    if len(late) and late.min() < MUCH_STEADIER * scores[cut]:
        return None
    if _drifts(values[cut * size :]):
        return None
    return at_least + cut * size


def _scores(batches: Floats) -> Floats:
    """Return MSER's statistic for each cut that leaves two batches: variance of a mean of them."""
    centred = batches - batches.mean()
    left = np.arange(len(batches), 1, -1)
    sums = np.cumsum(centred[::-1])[::-1][:-1]
    squares = np.cumsum(centred[::-1] ** 2)[::-1][:-1]
    scores: Floats = np.maximum(squares - sums**2 / left, 0.0) / left**2
    return scores


def _changes(values: Floats, cut: int) -> bool:
    """Whether the running sum of deviations strays further than that of a steady series.

    The spread is taken from what is left after the cut: a warm-up has one of its own, and to count
    it in would hide the very change that is sought.
    """
    furthest = float(np.abs(np.cumsum(values - values.mean())).max())
    noise = math.sqrt(long_run_variance(values[cut:]) * len(values))
    rounding = 1e-9 * len(values) * abs(float(values.mean()))
    return furthest > max(noise * float(stats.kstwobign.isf(CHANGE_LEVEL)), rounding)


def _drifts(values: Floats) -> bool:
    """Whether a straight line through the values has a slope beyond chance."""
    points = batched(values, max(1, len(values) // 20))
    times = np.arange(len(points)) - (len(points) - 1) / 2
    slope = float(times @ points) / float(times @ times)
    residuals = points - points.mean() - slope * times
    rest = float(residuals @ residuals)
    if rest <= 1e-20 * float(points @ points):
        return abs(slope) > 1e-9 * abs(float(points.mean()))
    related = correlation(residuals, fitted=2)
    inflation = (1 + related) / (1 - related)
    freedom = max(1.0, len(points) / inflation - 2)
    error = math.sqrt(rest / (len(points) - 2) * inflation / float(times @ times))
    return float(2 * stats.t.sf(abs(slope) / error, freedom)) < DRIFT_LEVEL
