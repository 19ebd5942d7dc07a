"""The ratio of two sides of a comparison, over blocks of trials.

The unit is the block: its trials run close together, so that what the machine does to one side it
mostly does to the other, and the ratio within the block cancels it. Calls and seconds within a
trial depend on each other; blocks hardly do.

In a mirrored block each side has two trials, in an order and then in its mirror, so that a steady
drift cancels too. What two trials of one side differ by in one block then says the same as the
spread between blocks: how far a trial is from the truth. Both are pooled, which is what gives five
blocks fourteen degrees of freedom instead of four. With one trial a side and block there is the
spread between blocks alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from testbed.stats.intervals import Interval, check_confidence

Trials = Sequence[Sequence[float | None]]
Floats = NDArray[np.float64]


def ratio_interval(first: Trials, second: Trials, *, confidence: float = 0.95) -> Interval | None:
    """Return the ratio second/first of one metric, with its confidence interval.

    ``first[b]`` and ``second[b]`` are the values of the trials of each side in block ``b``; both
    have one entry per block, in the same order. A trial without a value (void, or too few samples)
    is ``None``, ``nan`` or left out. The value of a side in a block is the geometric mean of its
    trials. A block that lacks a side is left out.

    The estimate is the geometric mean of the ratios of the blocks, one of fewer trials weighing
    less. The interval is Student's t on their logarithms, with a variance that is pooled from the
    spread between blocks and from what trials of one side differ by within a block; ``degrees``
    counts both (``docs/statistics.md``).

    Returns ``None`` if fewer than two blocks are left, or if a value is zero, negative or infinite,
    for which a ratio says nothing. Raises ``ValueError`` if the sides differ in their blocks.
    """
    check_confidence(confidence)
    blocks = _blocks(first, second)
    if blocks is None or len(blocks) < 2:
        return None
    ratios, weights = _ratios(blocks), _weights(blocks)
    middle = float(np.average(ratios, weights=weights))
    between = float(weights @ (ratios - middle) ** 2)
    within, repeats = _within(blocks)
    degrees = len(blocks) - 1 + repeats
    error = math.sqrt((between + within) / degrees / float(weights.sum()))
    reach = error * float(stats.t.ppf((1 + confidence) / 2, degrees))
    return Interval(
        estimate=math.exp(middle),
        low=math.exp(middle - reach),
        high=math.exp(middle + reach),
        blocks=len(blocks),
        confidence=confidence,
        degrees=degrees,
    )


def noise_floor(first: Trials, second: Trials, *, confidence: float = 0.95) -> float | None:
    """Return how far the ratio of a side to itself would reach in this very run, as 0.06 for 6 %.

    It is the reach of the interval of equal sides with as many blocks, by what trials of one side
    differ by within a block alone; arguments as for :func:`ratio_interval`. Returns ``None`` if no
    block has two trials of a side, or if a value is zero, negative or infinite.
    """
    check_confidence(confidence)
    blocks = _blocks(first, second)
    within, repeats = _within(blocks or ())
    if not blocks or not repeats:
        return None
    error = math.sqrt(within / repeats / float(_weights(blocks).sum()))
    return math.expm1(error * float(stats.t.ppf((1 + confidence) / 2, repeats)))


def log_ratios(first: Trials, second: Trials) -> Floats | None:
    """Return log(second/first) of each block that has both sides, shape (blocks,).

    ``None`` if a value is not above 0 or not finite. Raises ``ValueError`` if the sides differ in
    their number of blocks.
    """
    blocks = _blocks(first, second)
    return None if blocks is None else _ratios(blocks)


@dataclass(frozen=True)
class _Block:
    """The logarithms of the trials of both sides, at least one of each."""

    first: Floats
    second: Floats

    @property
    def ratio(self) -> float:
        return float(self.second.mean() - self.first.mean())

    @property
    def weight(self) -> float:
        """How often the variance of a trial holds that of the ratio: 1 with two trials a side."""
        return 1 / (1 / len(self.first) + 1 / len(self.second))


def _blocks(first: Trials, second: Trials) -> list[_Block] | None:
    if len(first) != len(second):
        raise ValueError(
            f"the first side has {len(first)} blocks, the second {len(second)}: "
            "give an empty one for a block without trials"
        )
    pairs = [(_given(one), _given(two)) for one, two in zip(first, second, strict=True)]
    whole = [pair for pair in pairs if pair[0] and pair[1]]
    if not all(0 < value < math.inf for pair in whole for side in pair for value in side):
        return None
    return [_Block(np.log(one), np.log(two)) for one, two in whole]


def _ratios(blocks: Sequence[_Block]) -> Floats:
    return np.array([each.ratio for each in blocks], dtype=np.float64)


def _weights(blocks: Sequence[_Block]) -> Floats:
    return np.array([each.weight for each in blocks], dtype=np.float64)


def _within(blocks: Sequence[_Block]) -> tuple[float, int]:
    """Return the sum of squares of trials about the mean of their side and block, its degrees."""
    sides = [side for each in blocks for side in (each.first, each.second)]
    squares = sum(float(((side - side.mean()) ** 2).sum()) for side in sides)
    return squares, sum(len(side) - 1 for side in sides)


def _given(trials: Sequence[float | None]) -> list[float]:
    return [float(value) for value in trials if value is not None and not math.isnan(value)]
