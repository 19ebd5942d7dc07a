"""A figure with its confidence interval, and the arithmetic of intervals of ratios."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True)
class Interval:
    """A figure and the range that holds the true one with ``confidence`` (0 to 1).

    ``estimate``, ``low`` and ``high`` are in the unit of the figure; ``blocks`` is the number of
    independent units that it rests on: blocks of trials for a ratio, batches of seconds for a
    mean, samples for a percentile, points for a fit.
    """

    estimate: float
    low: float
    high: float
    blocks: int
    confidence: float = 0.95

    @property
    def half_width(self) -> float:
        """Half of the width relative to the estimate; infinite if the estimate is 0."""
        width = (self.high - self.low) / 2
        if self.estimate == 0:
            return math.inf if width else 0.0
        return width / abs(self.estimate)

    @property
    def factor(self) -> float:
        """How far a ratio's interval reaches from its middle, as a factor of at least 1.

        1.06 stands for "6 % up or down". Raises ``ValueError`` unless both ends are above 0.
        """
        return math.exp(self._log_half_width())

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies in the interval, its ends included."""
        return self.low <= value <= self.high

    def log_error(self) -> float:
        """Return the standard error of the log of a ratio, from the width of its t-interval.

        Raises ``ValueError`` unless both ends are above 0 and there are at least two blocks.
        """
        return self._log_half_width() / self._quantile(self.confidence)

    def at(self, confidence: float) -> Interval:
        """Return a ratio's t-interval at another confidence."""
        reach = math.exp(self.log_error() * self._quantile(confidence))
        middle = math.sqrt(self.low * self.high)
        return Interval(self.estimate, middle / reach, middle * reach, self.blocks, confidence)

    def _log_half_width(self) -> float:
        if not 0 < self.low <= self.high < math.inf:
            raise ValueError(f"{self.low} to {self.high} is no interval of a ratio above 0")
        return math.log(self.high / self.low) / 2

    def _quantile(self, confidence: float) -> float:
        check_confidence(confidence)
        if self.blocks < 2:
            raise ValueError(f"{self.blocks} blocks have no spread: two are needed")
        return float(stats.t.ppf((1 + confidence) / 2, self.blocks - 1))


def check_confidence(confidence: float) -> None:
    """Raise ``ValueError`` unless ``confidence`` lies between 0 and 1, both excluded."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1, as in 0.95")
