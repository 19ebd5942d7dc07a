"""The buckets of every duration histogram, so that any two can be laid over each other.

Also how the durations of calls are counted. Several are counted for each call, and a histogram of
prometheus_client takes 3 to 4 µs for one: it takes locks, and tries one bound after the other.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from prometheus_client.utils import floatToGoString

# Seconds. From 10 µs as in gRFC A66, and finer below 1 ms, where calls over loopback end.
BUCKETS = (
    *(0.00001, 0.00005, 0.0001, 0.0002, 0.0003, 0.0004, 0.0006, 0.0008),
    *(0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008),
    *(0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08),
    *(0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
_LABELS: list[str] = [
    floatToGoString(bound)  # type: ignore[no-untyped-call]
    for bound in (*BUCKETS, float("inf"))
]


class Durations:
    """Durations counted by bucket, in seconds. One thread observes; any other may read."""

    __slots__ = ("_counts", "seconds")

    def __init__(self) -> None:
        self._counts = [0] * len(_LABELS)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return the cumulated buckets, as ``HistogramMetricFamily.add_metric`` takes them."""
        return list(zip(_LABELS, map(float, accumulate(self._counts)), strict=True))
