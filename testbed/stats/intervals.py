"""A figure with its confidence interval, and the arithmetic of intervals of ratios."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy import stats


@dataclass(frozen=True)
class Interval:
    """A figure and the range that holds the true one with ``confidence`` (0 to 1).

    ``estimate``, ``low`` and ``high`` are in the unit of the figure; ``blocks`` is the number of
    independent units that it rests on: blocks of trials for a ratio, batches of seconds for a
    mean, samples for a percentile, points for a fit. ``degrees`` are the degrees of freedom of a
    ratio's t-interval, ``None`` for one less than ``blocks``.
    """

    estimate: float
    low: float
    high: float
    blocks: int
    confidence: float = 0.95
    degrees: int | None = None

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

    def p_value(self) -> float:
        """Return the two-sided p-value of the hypothesis that a ratio is 1, 0 to 1.

        It is below 1 - confidence exactly if the interval does not hold 1. Errors as for
        :meth:`log_error`.
        """
        error, distance = self.log_error(), abs(math.log(self.low * self.high)) / 2
        if error == 0:
            return 0.0 if distance > 0 else 1.0
        return min(1.0, 2 * float(stats.t.sf(distance / error, self._freedom())))

    def at(self, confidence: float) -> Interval:
        """Return a ratio's t-interval at another confidence."""
        reach = math.exp(self.log_error() * self._quantile(confidence))
        middle = math.sqrt(self.low * self.high)
        return replace(self, low=middle / reach, high=middle * reach, confidence=confidence)

    def _log_half_width(self) -> float:
        if not 0 < self.low <= self.high < math.inf:
            raise ValueError(f"{self.low} to {self.high} is no interval of a ratio above 0")
        return math.log(self.high / self.low) / 2

    def _quantile(self, confidence: float) -> float:
        check_confidence(confidence)
        return float(stats.t.ppf((1 + confidence) / 2, self._freedom()))

    def _freedom(self) -> int:
        if self.blocks < 2:
            raise ValueError(f"{self.blocks} blocks have no spread: two are needed")
        return self.blocks - 1 if self.degrees is None else self.degrees


def check_confidence(confidence: float) -> None:
    """Raise ``ValueError`` unless ``confidence`` lies between 0 and 1, both excluded."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1, as in 0.95")
