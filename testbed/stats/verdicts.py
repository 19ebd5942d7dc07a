"""From ratios to words: who is better, by how much, and whether that is more than noise.

A difference counts if the true ratio lies beyond the noise floor, not merely off 1: two runs of
the same thing differ as well, and a control of A against A shows by how much. The test is that of
a minimum effect (Murphy and Myors 1999): the hypothesis to reject is that the ratio lies between
1 / (1 + floor) and 1 + floor. On one metric alone it says the same as "the interval lies wholly
outside of the floor".

A report judges dozens of metrics, and of twenty tests at 5 % one is wrong by chance. Their
p-values are adjusted by Benjamini and Hochberg (1995): of the differences that a report names, at
most 5 % are false on average; and if the two sides are the same, at most 5 % of reports name any.
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
Noise = Interval | float | None

LEAST_BLOCKS = 3
WIDEST_SPAN = 2.0


class RatioOutcome(StrEnum):
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
    metric in a sentence, as in "SubmitJob p50". ``claim``, if given, is what the better side does,
    as in "answers SubmitJob faster" with the label "p50".
    """

    label: str
    ratio: Interval | None
    noise: Noise
    better: Better
    claim: str = ""


@dataclass(frozen=True)
class MetricVerdict:
    """What a metric says, in one word and in a sentence.

    ``floor`` is the noise floor as a relative half width, ``None`` without a control. ``p_value``
    is of the hypothesis that the true ratio lies within the noise floor (that it is 1, without a
    control), adjusted for the family of metrics if there is one; ``None`` without enough data.
    """

    outcome: RatioOutcome
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
    claim: str = "",
    sides: tuple[str, str] = ("A", "B"),
) -> MetricVerdict:
    """Judge one ratio second/first on its own, at the confidence of its interval.

    For the metrics of a report use :func:`verdicts`, which bounds the false ones among many.
    Errors as there.
    """
    confidence = 0.95 if ratio is None else ratio.confidence
    measured = Measured(label, ratio, noise, better, claim)
    return verdicts([measured], confidence=confidence, sides=sides)[0]


def verdicts(
    family: Sequence[Measured],
    *,
    confidence: float = 0.95,
    sides: tuple[str, str] = ("A", "B"),
) -> tuple[MetricVerdict, ...]:
    """Judge the metrics of one comparison together; the verdicts are in their order.

    A side is better if the adjusted p-value is at most 1 - ``confidence``. There is not enough data
    without a ratio, with fewer than three blocks, and if nothing is shown while the interval spans
    more than a factor of two. ``sides`` names the sides in sentences.

    Raises ``ValueError`` for a noise floor below 0 or not finite, a ratio's interval that is not
    above 0, and a confidence out of range.
    """
    check_confidence(confidence)
    floors = [noise_floor(each.noise) for each in family]
    raw = [
        None if _missing(each.ratio) else p_value(each.ratio, floor or 0.0)
        for each, floor in zip(family, floors, strict=True)
    ]
    given = [each for each in raw if each is not None]
    adjusted = iter([float(each) for each in stats.false_discovery_control(given)] if given else [])
    results = []
    for each, floor, alone in zip(family, floors, raw, strict=True):
        together = None if alone is None else next(adjusted)
        results.append(_judge(each, floor, alone, together, 1 - confidence, sides))
    return tuple(results)


def noise_floor(noise: Noise) -> float | None:
    """Return the noise floor as a relative half width, ``None`` for none.

    Of a control's interval it is the end further from 1: what the control did show, and how much
    more it cannot exclude. Raises ``ValueError`` for one below 0 or not finite.
    """
    if noise is None:
        return None
    if isinstance(noise, Interval):
        if not 0 < noise.low <= noise.high < math.inf:
            raise ValueError(f"{noise.low} to {noise.high} is no interval of a control's ratio")
        return max(noise.high, 1 / noise.low, 1.0) - 1
    if not 0 <= noise < math.inf:
        raise ValueError(f"the noise floor is {noise}; it must be 0 or above, as in 0.06")
    return noise


def p_value(ratio: Interval | None, floor: float) -> float:
    """Return the p-value of the hypothesis that the ratio lies within the floor, 0 to 1.

    Twice the smaller of the two one-sided tests, so that it is below 1 - confidence exactly if the
    t-interval lies outside of the floor. Raises ``ValueError`` without a ratio of two blocks.
    """
    if ratio is None:
        raise ValueError("there is no ratio to test")
    error, middle = ratio.log_error(), math.log(ratio.low * ratio.high) / 2
    beyond = abs(middle) - math.log1p(floor)
    if error == 0:
        return 0.0 if beyond > 0 else 1.0
    return min(1.0, 2 * float(stats.t.sf(beyond / error, ratio.blocks - 1)))


def _missing(ratio: Interval | None) -> bool:
    return ratio is None or ratio.blocks < LEAST_BLOCKS


def _judge(
    each: Measured,
    floor: float | None,
    alone: float | None,
    together: float | None,
    level: float,
    sides: tuple[str, str],
) -> MetricVerdict:
    sentence = Sentence(each.label, each.claim, floor, sides)
    ratio = each.ratio
    if ratio is None or alone is None or together is None:
        words = sentence.missing(ratio, LEAST_BLOCKS)
        return MetricVerdict(RatioOutcome.NOT_ENOUGH_DATA, words, ratio, floor, None)
    if together <= level:
        second = (ratio.low * ratio.high < 1) == (each.better == "lower")
        outcome = RatioOutcome.B_BETTER if second else RatioOutcome.A_BETTER
        return MetricVerdict(outcome, sentence.better(int(second), ratio), ratio, floor, together)
    if ratio.high / ratio.low > WIDEST_SPAN:
        words = sentence.too_wide(ratio)
        return MetricVerdict(RatioOutcome.NOT_ENOUGH_DATA, words, ratio, floor, together)
    words = sentence.no_difference(ratio, by_chance=alone <= level)
    return MetricVerdict(RatioOutcome.NO_DIFFERENCE, words, ratio, floor, together)
