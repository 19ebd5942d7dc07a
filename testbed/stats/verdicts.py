"""From ratios to words: which side is better, by how much, and whether that is more than noise.

A difference counts if two things hold. By the test of its ratio, against 1, it is no chance: the
interval does not hold 1, more clearly so the more metrics are judged. And the ratio lies beyond the
noise floor, which is how far a side would be from itself by what its own trials differ by in this
run (``docs/decisions/0027-the-noise-of-the-run-itself.md``).

A report judges dozens of metrics, and of twenty tests at 5 % one is wrong by chance. Their
p-values are adjusted by Benjamini and Hochberg (1995): of the differences that a report names, at
most 5 % are false on average; and if the sides are the same, at most 5 % of reports name any.
Holm's correction would bound the chance of a single false one in every case, at the cost of missing
most true ones with as few blocks as a comparison has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from scipy import stats

from testbed.stats.intervals import Interval, check_confidence
from testbed.stats.words import Sentence

Better = Literal["lower", "higher"]

# What nobody acts on. Memory hardly differs between trials, so that a tenth of a percent of it is
# clear of all noise.
SMALLEST_DIFFERENCE = 0.01
LEAST_BLOCKS = 3
WIDEST_SPAN = 2.0


class RatioOutcome(StrEnum):
    """What the ratio of a side to the reference says."""

    REFERENCE_BETTER = "reference_better"
    SIDE_BETTER = "side_better"
    NO_DIFFERENCE = "no_difference"
    NOT_ENOUGH_DATA = "not_enough_data"


@dataclass(frozen=True)
class Measured:
    """One metric to judge: the ratio of a side to the reference, and which direction is better.

    ``floor`` is the noise floor as a relative half width (0.06 for 6 % up or down), or ``None`` if
    it is not known. ``label`` names the metric in a sentence, as in "SubmitJob p50". ``claim``, if
    given, is what the better side does, as in "answers SubmitJob faster" with the label "p50".
    ``sides`` names the reference and the side in sentences.
    """

    label: str
    ratio: Interval | None
    floor: float | None
    better: Better
    claim: str = ""
    sides: tuple[str, str] = ("A", "B")


@dataclass(frozen=True)
class MetricVerdict:
    """What a metric says, in one word and in a sentence.

    ``floor`` is the noise floor as a relative half width, ``None`` where it is not known.
    ``p_value`` is of the hypothesis that the true ratio is 1, adjusted for the family of metrics if
    there is one; ``None`` without enough data.
    """

    outcome: RatioOutcome
    words: str
    ratio: Interval | None
    floor: float | None
    p_value: float | None


def verdict(
    ratio: Interval | None,
    floor: float | None,
    better: Better,
    *,
    label: str = "the metric",
    claim: str = "",
    sides: tuple[str, str] = ("A", "B"),
) -> MetricVerdict:
    """Judge one ratio on its own, at the confidence of its interval.

    For the metrics of a report use :func:`verdicts`, which bounds the false ones among many.
    Errors as there.
    """
    confidence = 0.95 if ratio is None else ratio.confidence
    measured = Measured(label, ratio, floor, better, claim, sides)
    return verdicts([measured], confidence=confidence)[0]


def verdicts(family: Sequence[Measured], *, confidence: float = 0.95) -> tuple[MetricVerdict, ...]:
    """Judge the metrics of one comparison together; the verdicts are in their order.

    A side is better if the adjusted p-value is at most 1 - ``confidence`` and the ratio lies beyond
    the noise floor, where that is known, and beyond :data:`SMALLEST_DIFFERENCE`. There is not
    enough data without a ratio, with fewer than three blocks, and if nothing is shown while the
    interval spans more than a factor of two.

    Raises ``ValueError`` for a noise floor below 0 or not finite, a ratio's interval that is not
    above 0, and a confidence out of range.
    """
    check_confidence(confidence)
    for each in family:
        if each.floor is not None and not 0 <= each.floor < math.inf:
            raise ValueError(f"the noise floor is {each.floor}; it must be 0 or above, as in 0.06")
    alone = [_p_value(each.ratio) for each in family]
    given = [each for each in alone if each is not None]
    adjusted = iter(stats.false_discovery_control(given).tolist() if given else [])
    return tuple(
        _judge(each, raw, None if raw is None else next(adjusted), 1 - confidence)
        for each, raw in zip(family, alone, strict=True)
    )


def _p_value(ratio: Interval | None) -> float | None:
    return None if ratio is None or ratio.blocks < LEAST_BLOCKS else ratio.p_value()


def _judge(
    each: Measured, alone: float | None, together: float | None, level: float
) -> MetricVerdict:
    sentence, ratio = Sentence(each.label, each.claim, each.floor, each.sides), each.ratio
    if ratio is None or alone is None or together is None:
        words = sentence.missing(ratio, LEAST_BLOCKS)
        return MetricVerdict(RatioOutcome.NOT_ENOUGH_DATA, words, ratio, each.floor, None)
    lower = ratio.low * ratio.high < 1
    is_clear = each.floor is None or _reach(ratio) > each.floor
    is_small = _reach(ratio) <= SMALLEST_DIFFERENCE
    if together <= level and is_clear and not is_small:
        second = lower == (each.better == "lower")
        outcome = RatioOutcome.SIDE_BETTER if second else RatioOutcome.REFERENCE_BETTER
        words = sentence.better(int(second), ratio)
    elif ratio.high / ratio.low > WIDEST_SPAN:
        outcome, words = RatioOutcome.NOT_ENOUGH_DATA, sentence.too_wide(ratio)
    else:
        outcome = RatioOutcome.NO_DIFFERENCE
        words = sentence.no_difference(
            ratio, by_chance=is_clear and alone <= level < together, is_small=is_small
        )
    return MetricVerdict(outcome, words, ratio, each.floor, together)


def _reach(ratio: Interval) -> float:
    """Return how far the ratio is from 1, the same up and down: 0.25 for 1.25 and for 0.8."""
    return math.expm1(abs(math.log(ratio.low * ratio.high)) / 2)
