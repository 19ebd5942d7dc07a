"""What a histogram of fixed buckets counted, and how little a percentile read from it says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A percentile read from buckets: it lies between ``low`` and ``high``, the bucket's edges.

    ``value`` is interpolated between them; no more is known than the two edges. In the last
    bucket ``high`` is infinite and ``value`` is the lower edge.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class BucketIncrease:
    """What a histogram counted in a window: ``counts`` between ``bounds``, the last infinite."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    sum: float
    count: float

    @property
    def mean(self) -> float | None:
        """The exact mean, ``None`` if nothing was counted."""
        return self.sum / self.count if self.count > 0 else None

    def percentile(self, percent: float) -> Estimate | None:
        """Return where a percentile lies, ``None`` if nothing was counted."""
        total = sum(self.counts)
        if total <= 0:
            return None
        rank, seen, low = total * percent / 100, 0.0, 0.0
        for high, count in zip(self.bounds, self.counts, strict=True):
            if count > 0 and seen + count >= rank * (1 - 1e-12):
                if high == float("inf"):
                    return Estimate(low, low, high)
                share = min(1.0, max(0.0, (rank - seen) / count))
                return Estimate(low + (high - low) * share, low, high)
            seen, low = seen + count, high
        return None
