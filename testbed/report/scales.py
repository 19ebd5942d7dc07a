"""Axes: from values to positions, and which values to write beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

PERCENTILE_TICKS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)


class Scale(Protocol):
    """Places values on an axis: 0 is its start, 1 its end."""

    def place(self, value: float) -> float:
        """Return where ``value`` lies."""

    def ticks(self) -> Sequence[tuple[float, str]]:
        """Return the values to be written, with their text."""


@dataclass(frozen=True)
class Linear:
    """Equal steps; the ends are rounded outwards to a tick."""

    low: float
    high: float
    count: int = 5

    @classmethod
    def around(cls, values: Iterable[float], count: int = 5) -> Linear:
        """Span zero and all values."""
        top = max((value for value in values if math.isfinite(value)), default=1.0)
        top = top if top > 0 else 1.0
        step = nice_step(top / count)
        return cls(0.0, math.ceil(top / step - 1e-9) * step, count)

    def place(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> Sequence[tuple[float, str]]:
        """Return multiples of a round step."""
        step = nice_step((self.high - self.low) / self.count)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(index * step, short(index * step)) for index in range(first, last + 1)]


@dataclass(frozen=True)
class Log:
    """Equal ratios; the ends are those given."""

    low: float
    high: float
    suffix: str = ""

    @classmethod
    def around(cls, values: Iterable[float], least_decades: float = 1.0, suffix: str = "") -> Log:
        """Span all positive values with a little room, ``least_decades`` at the least."""
        given = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
        low, high = math.log10(min(given)), math.log10(max(given))
        room = max(0.04, (least_decades - (high - low)) / 2)
        return cls(10 ** (low - room), 10 ** (high + room), suffix)

    def place(self, value: float) -> float:
        """Return where ``value`` lies; what is not positive lies at the start."""
        if value <= 0:
            return 0.0
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self) -> Sequence[tuple[float, str]]:
        """Return 1, 2 and 5 times the powers of ten, or the powers alone if those are many."""
        decades = math.log10(self.high / self.low)
        factors = (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        values = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
        return [
            (value, short(value) + self.suffix)
            for value in values
            if self.low * 0.999 <= value <= self.high * 1.001
        ]


@dataclass(frozen=True)
class Percentile:
    """Quantiles by the logarithm of what lies beyond: 90, 99 and 99.9 % are equally far apart."""

    high: float

    def place(self, value: float) -> float:
        """Return where the quantile ``value``, below 1, lies."""
        return math.log(1 - value) / math.log(1 - self.high)

    def ticks(self) -> Sequence[tuple[float, str]]:
        """Return the quantiles that are usually spoken of, in percent."""
        return [
            (value, f"{value * 100:.6g}") for value in PERCENTILE_TICKS if value <= self.high + 1e-9
        ]


def nice_step(rough: float) -> float:
    """Return the next 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 2.5, 5):
        if rough <= factor * power * (1 + 1e-9):
            return factor * power
    return 10 * power


def short(value: float) -> str:
    """Write a tick: no needless zeros, thousands with a thin space."""
    if value and abs(value) < 1e-3:
        return f"{value:.0e}".replace("e-0", "e-")
    return f"{value:,.6g}".replace(",", "\u2009")
