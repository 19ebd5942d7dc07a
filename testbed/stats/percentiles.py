"""Percentiles of calls, and how far off they may be.

A percentile is the value of the nearest rank, ``ceil(n * percent / 100)``. Its interval runs
between two order statistics whose ranks come from the binomial distribution, so it holds for any
distribution of latencies (Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2;
Hahn and Meeker, Statistical Intervals, section 5.2). With a design effect it is Woodruff's
interval (JASA 47, 1952).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from testbed.stats.intervals import Interval, check_confidence
from testbed.stats.means import long_run_variance

BEYOND = 10


class _Step(Protocol):
    value_iterated_to: int
    count_at_value_iterated_to: int


@runtime_checkable
class RecordedHistogram(Protocol):
    """The part of an HDR histogram that is read here."""

    def get_total_count(self) -> int:
        """Return the number of recorded values."""

    def get_recorded_iterator(self) -> Iterator[_Step]:
        """Iterate over the distinct values that were recorded, in ascending order."""


@dataclass(frozen=True)
class CumulativeCounts:
    """Distinct values in ascending order and how many samples are at or below each.

    Both arrays have the shape (distinct,). Made once, it answers any number of percentiles.
    """

    values: NDArray[np.float64]
    up_to: NDArray[np.int64]

    @classmethod
    def of(cls, data: Data) -> CumulativeCounts:
        """Count an HDR histogram (the highest equivalent value of each bucket) or raw samples.

        Raises ``ValueError`` for samples that are not numbers.
        """
        if isinstance(data, CumulativeCounts):
            return data
        if isinstance(data, RecordedHistogram):
            steps = [
                (step.value_iterated_to, step.count_at_value_iterated_to)
                for step in data.get_recorded_iterator()
            ]
            values = np.array([value for value, _ in steps], dtype=np.float64)
            counts = np.array([count for _, count in steps], dtype=np.int64)
            return cls(values, np.cumsum(counts))
        samples = np.asarray(data, dtype=np.float64)
        if np.isnan(samples).any():
            raise ValueError("a sample is not a number: leave out what was not measured")
        values, counts = np.unique(samples, return_counts=True)
        return cls(values, np.cumsum(counts))

    @property
    def total(self) -> int:
        """The number of samples."""
        return int(self.up_to[-1]) if len(self.up_to) else 0

    def at_rank(self, rank: int) -> float:
        """Return the value of rank 1 (the lowest) to ``total``."""
        return float(self.values[np.searchsorted(self.up_to, rank)])


Data = RecordedHistogram | CumulativeCounts | Sequence[float] | NDArray[np.float64]


def samples_needed(percent: float) -> int:
    """Return how many samples a percentile takes: ten must be expected beyond it.

    1,000 for p99, 200 for p95, 20 for p50. Below, a handful of calls decides the figure. It also
    leaves room for the upper end of a 95 % interval, which alone takes 368 samples for p99.
    """
    _check_percent(percent)
    beyond = min(percent, 100 - percent) if percent < 50 else 100 - percent
    return math.ceil(BEYOND * 100 / beyond - 1e-9)


def percentile(data: Data, percent: float) -> float | None:
    """Return the percentile of nearest rank in the unit of the data, ``None`` if there are none."""
    _check_percent(percent)
    counts = CumulativeCounts.of(data)
    return counts.at_rank(_rank(counts.total, percent)) if counts.total else None


def percentile_interval(
    data: Data, percent: float, confidence: float = 0.95, *, effect: float = 1.0
) -> Interval | None:
    """Return a percentile (``percent`` between 0 and 100) and its order-statistic interval.

    ``data`` is an HDR histogram, :class:`CumulativeCounts` or raw samples; the result has their
    unit and counts samples as ``blocks``. ``effect`` is the design effect of :func:`design_effect`:
    calls that wait behind the same stall are not independent, and 1,000 of them with an effect of 4
    say as much as 250. The interval is about this one trial: what another trial would give differs
    by more, and :func:`ratio_interval` deals with that.

    Returns ``None`` if the independent samples (number / effect) are fewer than
    :func:`samples_needed`, or too few for the ends to exist at this confidence. Raises
    ``ValueError`` for a percentile, confidence or effect out of range.
    """
    check_confidence(confidence)
    _check_percent(percent)
    if effect <= 0 or not math.isfinite(effect):
        raise ValueError(f"the design effect is {effect}; it must be above 0")
    counts = CumulativeCounts.of(data)
    independent = math.floor(counts.total / max(effect, 1.0))
    if independent < samples_needed(percent):
        return None
    tail = (1 - confidence) / 2
    share = percent / 100
    lower = int(stats.binom.ppf(tail, independent, share))
    upper = int(stats.binom.ppf(1 - tail, independent, share)) + 1
    if lower < 1 or upper > independent:
        return None
    scale = counts.total / independent
    return Interval(
        estimate=counts.at_rank(_rank(counts.total, percent)),
        low=counts.at_rank(max(1, math.floor(lower * scale))),
        high=counts.at_rank(min(counts.total, math.ceil(upper * scale))),
        blocks=counts.total,
        confidence=confidence,
    )


def design_effect(totals: Sequence[float], below: Sequence[float]) -> float:
    """Return by how much samples that come in clumps are worth less than independent ones.

    ``totals[i]`` is the number of calls in second ``i`` and ``below[i]`` how many of them were at
    or below the percentile. The effect is the variance of the share below, as the seconds show it
    with their autocorrelation, over the variance that independent calls would have; at least 1.
    (Kish, Survey Sampling, 1965; Woodruff 1952 for its use with percentiles.) With fewer than ten
    seconds, or if all or none are below, it is 1: nothing can be seen. Raises ``ValueError`` if
    the lengths differ.
    """
    if len(totals) != len(below):
        raise ValueError(f"{len(totals)} totals and {len(below)} counts below: one per second")
    counted, under = np.asarray(totals, dtype=np.float64), np.asarray(below, dtype=np.float64)
    total = float(counted.sum())
    share = float(under.sum()) / total if total else 0.0
    if len(counted) < 10 or not 0 < share < 1:
        return 1.0
    clustered = long_run_variance(under - share * counted) * len(counted)
    return max(1.0, clustered / (total * share * (1 - share)))


def _rank(total: int, percent: float) -> int:
    # 29 * 100 / 100 is 29.000000000000004 in floating point; a rank must not rise from that.
    return min(total, max(1, math.ceil(total * percent / 100 - 1e-9)))


def _check_percent(percent: float) -> None:
    if not 0 < percent < 100:
        raise ValueError(f"percentile {percent}: it must lie between 0 and 100, both excluded")
