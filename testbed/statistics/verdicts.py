"""From ratios to words: who is better, by how much, and whether that is more than noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from testbed.statistics.intervals import Interval

Better = Literal["lower", "higher"]
Noise = Interval | float | None

LEAST_BLOCKS = 3
WIDEST_SPAN = 2.0


class Outcome(StrEnum):
    """What a ratio says. A is the first side of a comparison, B the second."""

    A_BETTER = "a_better"
    B_BETTER = "b_better"
    NO_DIFFERENCE = "no_difference"
    NOT_ENOUGH_DATA = "not_enough_data"


@dataclass(frozen=True)
class Measured:
    """One metric to judge: the ratio B/A, the control A/A, and which direction is better.

    ``noise`` is the interval of the same metric's ratio in an A-against-A control, or a relative
    half width (0.06 for 6 % up or down), or ``None`` if there was no control. ``label`` names the
    metric in a sentence, as in "SubmitJob p50".
    """

    label: str
    ratio: Interval | None
    noise: Noise
    better: Better


@dataclass(frozen=True)
class Verdict:
    """What a metric says, in one word and in a sentence.

    ``floor`` is the noise floor as a relative half width, ``None`` without a control. ``p_value``
    is of the hypothesis that the true ratio lies within the noise floor, adjusted for the family
    of metrics if there is one; ``None`` without enough data.
    """

    outcome: Outcome
    words: str
    ratio: Interval | None
    floor: float | None
    p_value: float | None


def verdict(
    ratio: Interval | None,
    noise: Noise,
    better: Better,
    *,
    label: str = "the metric",
    sides: tuple[str, str] = ("A", "B"),
) -> Verdict:
    """Judge one ratio B/A on its own. For the metrics of a report use :func:`verdicts`."""
    raise NotImplementedError


def verdicts(
    family: Sequence[Measured],
    *,
    confidence: float = 0.95,
    sides: tuple[str, str] = ("A", "B"),
) -> tuple[Verdict, ...]:
    """Judge the metrics of one comparison together, in their order."""
    raise NotImplementedError
