"""What is counted over all runs: false differences, coverage, known differences that are named."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from studies.noise.windows import Window
from testbed.stats import Measured, MetricVerdict, RatioOutcome, ratio_interval

LEVEL = 0.05
NAMED = {RatioOutcome.REFERENCE_BETTER, RatioOutcome.SIDE_BETTER}


@dataclass(frozen=True)
class Equal:
    """What runs of equal sides show.

    ``named`` is the share of runs that name any difference, ``held`` the share of intervals that
    hold the true ratio, ``least`` and ``most`` that of the metrics with the fewest and the most.
    """

    runs: int
    named: float
    held: float
    least: float
    most: float
    metrics: Mapping[str, int]


def equal_sides(runs: Iterable[Window]) -> Equal:
    """Count what runs of equal sides name, and how often their intervals hold 1."""
    names: Counter[str] = Counter()
    false, held = [], []
    for run in runs:
        found = run.verdicts()
        wrong = [
            metric.name
            for metric, each in zip(run.metrics, found, strict=True)
            if each.outcome in NAMED
        ]
        names.update(wrong)
        false.append(bool(wrong))
        held.append([each.ratio is not None and each.ratio.holds(1) for each in found])
    by_metric = np.mean(held, axis=0)
    return Equal(
        len(false),
        float(np.mean(false)),
        float(np.mean(held)),
        float(by_metric.min()),
        float(by_metric.max()),
        names,
    )


def seen(runs: Sequence[Window], index: int, effect: float) -> float:
    """Return the share of runs that name a metric in which the second side has ``effect`` more."""
    return float(
        np.mean([run.verdicts({index: 1 + effect})[index].outcome in NAMED for run in runs])
    )


Rule = Callable[[Window], list[bool]]


def _adjusted(p_values: Sequence[float]) -> list[bool]:
    return (stats.false_discovery_control(p_values) <= LEVEL).tolist()


def _shipped(run: Window) -> list[bool]:
    return [each.outcome in NAMED for each in run.verdicts()]


def _without_floor(run: Window) -> list[bool]:
    return [_p(each) <= LEVEL for each in run.verdicts()]


def _p(verdict: MetricVerdict) -> float:
    assert verdict.p_value is not None, "every run has three blocks"
    return verdict.p_value


def _interval_beyond_floor(run: Window) -> list[bool]:
    return _adjusted([_beyond(each) for each in run.measured])


def _beyond(measured: Measured) -> float:
    """Return the p-value of a minimum effect: the ratio lies within the noise floor."""
    ratio = measured.ratio
    assert ratio is not None, "all values are above 0"
    distance = abs(math.log(ratio.low * ratio.high)) / 2 - math.log1p(measured.floor or 0)
    return min(1.0, 2 * float(stats.t.sf(distance / ratio.log_error(), ratio.degrees or 1)))


def _between_blocks(run: Window) -> list[bool]:
    """Judge by the spread between blocks alone, as if each side had one trial in a block."""
    logs = [np.log(side).mean(axis=1) for side in (run.first, run.second)]
    ratios = [
        ratio_interval(*(np.exp(side[:, [index]]).tolist() for side in logs))
        for index in range(len(run.metrics))
    ]
    return _adjusted([each.p_value() for each in ratios if each is not None])


RULES: dict[str, Rule] = {
    "spread between blocks alone": _between_blocks,
    "pooled": _without_floor,
    "**pooled, ratio beyond the floor**": _shipped,
    "pooled, interval beyond the floor": _interval_beyond_floor,
}
