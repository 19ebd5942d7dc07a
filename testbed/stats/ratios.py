"""The ratio of two sides of a comparison, over blocks of trials.

The unit is the block: its trials run close together, so that what the machine does to one side it
mostly does to the other, and the ratio within the block cancels it. Calls and seconds within a
trial depend on each other; blocks hardly do, which is why the interval uses the spread between
blocks and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from testbed.stats.intervals import Interval, check_confidence

Trials = Sequence[Sequence[float | None]]


def ratio_interval(first: Trials, second: Trials, *, confidence: float = 0.95) -> Interval | None:
    """Return the ratio second/first of one metric, with its confidence interval.

    ``first[b]`` and ``second[b]`` are the values of the trials of each side in block ``b``; both
    have one entry per block, in the same order. A trial without a value (void, or too few samples)
    is ``None``, ``nan`` or left out. The value of a side in a block is the median of its trials. A
    block that lacks a side is left out.

    The estimate is the geometric mean of the ratios of the blocks. The interval is Student's t on
    their logarithms: of the candidates in ``studies.coverage`` the only one that
    covers as promised with three to ten blocks (``docs/statistics.md``).

    Returns ``None`` if fewer than two blocks are left, or if a value is zero, negative or infinite,
    for which a ratio says nothing. Raises ``ValueError`` if the sides differ in their blocks.
    """
    check_confidence(confidence)
    logs = log_ratios(first, second)
    if logs is None or len(logs) < 2:
        return None
    middle = float(np.mean(logs))
    error = float(np.std(logs, ddof=1)) / math.sqrt(len(logs))
    reach = error * float(stats.t.ppf((1 + confidence) / 2, len(logs) - 1))
    return Interval(
        estimate=math.exp(middle),
        low=math.exp(middle - reach),
        high=math.exp(middle + reach),
        blocks=len(logs),
        confidence=confidence,
    )


def log_ratios(first: Trials, second: Trials) -> NDArray[np.float64] | None:
    """Return log(second/first) of each block that has both sides, shape (blocks,).

    ``None`` if a value is not above 0 or not finite. Raises ``ValueError`` if the sides differ in
    their number of blocks.
    """
    if len(first) != len(second):
        raise ValueError(
            f"the first side has {len(first)} blocks, the second {len(second)}: "
            "give an empty one for a block without trials"
        )
    pairs = [(_given(one), _given(two)) for one, two in zip(first, second, strict=True)]
    values = [(_median(one), _median(two)) for one, two in pairs if one and two]
    if not all(0 < value < math.inf for pair in values for value in pair):
        return None
    return np.array([math.log(two) - math.log(one) for one, two in values], dtype=np.float64)


def _given(trials: Sequence[float | None]) -> list[float]:
    return [float(value) for value in trials if value is not None and not math.isnan(value)]


def _median(values: list[float]) -> float:
    return float(np.median(values))
