"""Percentiles, and when there are enough samples to speak of one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from testbed.drive.figures.metrics import Figure
from testbed.record.model import Histogram

TAIL_SAMPLES = 10


def enough(samples: int, percent: float) -> bool:
    """Whether at least ten samples are expected beyond the percentile.

    With fewer, the figure is decided by a handful of calls and says little about the system:
    1,000 samples are needed for p99, 200 for p95, 20 for p50.
    """
    return samples * (100 - percent) >= TAIL_SAMPLES * 100


def of_values(ordered: Sequence[float], percent: float) -> Figure:
    """Return the nearest-rank percentile of values in ascending order."""
    samples = len(ordered)
    if not samples:
        return Figure(None)
    if not enough(samples, percent):
        return Figure(None, samples, too_few=True)
    return Figure(ordered[max(0, math.ceil(samples * percent / 100) - 1)], samples)


def of_histogram(histogram: Histogram, percent: float, scale: float) -> Figure:
    """Return a percentile of a histogram, its value times ``scale``."""
    samples = histogram.get_total_count()
    if not samples:
        return Figure(None)
    if not enough(samples, percent):
        return Figure(None, samples, too_few=True)
    return Figure(histogram.get_value_at_percentile(percent) * scale, samples)
