"""How often the statistics err, on data whose truth is known.

A rate that must not be above (or below) ``share`` is counted over ``runs`` seeded simulations. The
bound is the number that a rate of exactly ``share`` would go beyond once in a thousand times, by
the binomial distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from testbed import stats as statistics
from testbed.record.calls import blank
from testbed.stats import Measured, PeriodicStall, RatioOutcome

pytestmark = pytest.mark.slow

RARE = 0.001
METRICS = 12
DIFFERENT = {RatioOutcome.REFERENCE_BETTER, RatioOutcome.SIDE_BETTER}


def at_most(share: float, runs: int) -> int:
    return int(stats.binom.isf(RARE, runs, share))


def at_least(share: float, runs: int) -> int:
    return int(stats.binom.ppf(RARE, runs, share))


def report(rng: np.random.Generator, ratio: float, trials: int = 2) -> list[Measured]:
    """Twelve metrics of five blocks with ``trials`` of each side; half of their noise is shared."""
    shared = rng.standard_normal((2, 5, trials, 1))
    own = rng.standard_normal((2, 5, trials, METRICS))
    first, second = np.exp(0.05 * (shared + own) / math.sqrt(2))
    second *= ratio
    sides = [(first[:, :, each].tolist(), second[:, :, each].tolist()) for each in range(METRICS)]
    return [
        Measured("it", statistics.ratio_interval(*each), statistics.noise_floor(*each), "lower")
        for each in sides
    ]


def named(family: Sequence[Measured]) -> int:
    """How many metrics are reported to differ."""
    return sum(each.outcome in DIFFERENT for each in statistics.verdicts(family))


@pytest.mark.parametrize("trials", [1, 2])
def test_reports_on_identical_systems_seldom_name_any_difference(trials: int) -> None:
    """Benjamini and Hochberg: at most 5 % of the reports, however many metrics they have."""
    rng, runs = np.random.default_rng(11), 200
    wrong = sum(named(report(rng, 1.0, trials)) > 0 for _ in range(runs))
    assert wrong <= at_most(0.05, runs)


def test_second_trial_of_a_side_in_each_block_shows_much_smaller_differences() -> None:
    """A tenth less, against noise of 5 %: one trial of a side shows it in less than 70 %."""
    rng, runs = np.random.default_rng(12), 100
    assert sum(named(report(rng, 0.9, 2)) for _ in range(runs)) >= at_least(0.85, runs * METRICS)
    assert sum(named(report(rng, 0.9, 1)) for _ in range(runs)) <= at_most(0.7, runs * METRICS)


def test_noise_floor_is_what_equal_sides_stay_within() -> None:
    """It is a 95 % interval of a side against itself, so 5 % of equal sides lie beyond it."""
    rng, runs = np.random.default_rng(13), 400
    beyond = 0
    for _ in range(runs):
        first, second = np.exp(0.05 * rng.standard_normal((2, 5, 2))).tolist()
        floor, ratio = (
            statistics.noise_floor(first, second),
            statistics.ratio_interval(first, second),
        )
        assert floor is not None
        assert ratio is not None
        beyond += abs(math.log(ratio.estimate)) > math.log1p(floor)
    assert at_least(0.05, runs) <= beyond <= at_most(0.05, runs)


def blocks(
    rng: np.random.Generator, count: int, spread: float, trials: int
) -> list[list[list[float]]]:
    """Both sides of a comparison whose true ratio is 0.8."""
    shared = rng.normal(0, 0.3, (count, 1))
    sides = np.exp(shared + rng.normal(0, spread, (2, count, trials)))
    sides[1] *= 0.8
    found: list[list[list[float]]] = sides.tolist()
    return found


@pytest.mark.parametrize(("trials", "least"), [(1, 5), (2, 3)])
def test_interval_after_an_early_stop_still_holds_the_truth(trials: int, least: int) -> None:
    """Promised are 95 %; the rule may cost at most two points of them."""
    rng, runs, most = np.random.default_rng(14), 2000, 15
    held = stopped = 0
    for _ in range(runs):
        first, second = blocks(rng, most, 0.03, trials)
        for count in range(2, most + 1):
            ratio = statistics.ratio_interval(first[:count], second[:count])
            assert ratio is not None
            if statistics.enough(ratio, 0.05, least=least):
                break
        assert ratio is not None
        stopped += count < most
        held += ratio.holds(0.8)
    assert held >= at_least(0.93, runs)
    assert stopped > runs / 2


@pytest.mark.parametrize(
    ("related", "white", "seconds"), [(0.0, 0, 60), (0.5, 0, 60), (0.8, 0, 60), (0.8, 5, 300)]
)
def test_mean_of_seconds_that_are_alike_is_held_by_its_interval(
    related: float, white: float, seconds: int
) -> None:
    """AR(1) about 100, in one case with noise of each second besides it: 93 % or more.

    Taken as independent, the mean is held by 49 to 76 % of the intervals where seconds are alike;
    the case with noise is the one that a single AR(1) process misses.
    """
    rng, runs = np.random.default_rng(15), 400
    held = 0
    for _ in range(runs):
        series = autoregressive(rng, seconds, related) + rng.normal(0, white, seconds)
        interval = statistics.mean_interval(series.tolist())
        assert interval is not None
        held += interval.holds(100)
    assert at_least(0.93, runs) <= held <= at_most(0.99, runs)


def autoregressive(rng: np.random.Generator, seconds: int, related: float) -> np.ndarray:
    """An AR(1) series of mean 100 and standard deviation 5."""
    value, series = rng.normal(0, 5), []
    for _ in range(seconds):
        series.append(100 + value)
        value = related * value + math.sqrt(1 - related**2) * rng.normal(0, 5)
    return np.array(series)


def test_percentiles_of_a_histogram_are_the_exact_ones_to_three_digits() -> None:
    rng = np.random.default_rng(16)
    samples = np.rint(np.exp(rng.normal(8, 1.5, 5003))).clip(1, 50_000_000).astype(int)
    histogram = blank()
    for each in samples.tolist():
        histogram.record_value(each)
    ordered = np.sort(samples)
    for percent in (1.0, 50.0, 90.0, 95.0, 99.0, 99.9):
        exact = float(ordered[math.ceil(len(ordered) * percent / 100) - 1])
        assert statistics.percentile(samples.astype(float), percent) == exact
        assert statistics.percentile(histogram, percent) == pytest.approx(exact, rel=0.001)


def test_steady_series_are_seldom_cut_and_seldom_reported_to_warm_up() -> None:
    """Each of the tests in it is at one in 200; MSER alone would cut a third of them."""
    rng, runs = np.random.default_rng(17), 400
    ends = [statistics.warmup_end(autoregressive(rng, 60, 0.3).tolist()) for _ in range(runs)]
    assert sum(end is None for end in ends) <= at_most(0.02, runs)
    assert sum(bool(end) for end in ends) <= at_most(0.02, runs)


def test_ramp_is_cut_near_its_end_and_a_trend_has_none() -> None:
    """The first 20 of 60 seconds rise from 70 to 100, or all of them do."""
    rng, runs = np.random.default_rng(18), 200
    ramp = np.minimum(np.arange(60) / 20, 1) * 30 - 30
    trend = np.arange(60) / 60 * 30 - 30
    ends = [
        statistics.warmup_end((autoregressive(rng, 60, 0.3) * 0.5 + ramp).tolist())
        for _ in range(runs)
    ]
    assert sum(end is not None and 12 <= end <= 30 for end in ends) >= at_least(0.95, runs)
    assert 15 <= np.median([end for end in ends if end is not None]) <= 25
    never = sum(
        statistics.warmup_end((autoregressive(rng, 60, 0.3) * 0.5 + trend).tolist()) is None
        for _ in range(runs)
    )
    assert never >= at_least(0.95, runs)


def queued(stall: PeriodicStall, rate: float, seconds: float) -> np.ndarray:
    """Response times of even arrivals at a server that takes them one by one between stalls."""
    free, times = 0.0, []
    for number in range(round(rate * seconds)):
        sent = (number + 0.5) / rate
        begin = max(sent, free)
        if begin % stall.period < stall.length:
            begin += stall.length - begin % stall.period
        free = begin + stall.service
        times.append(free - sent)
    return np.array(times)


def at_once(stall: PeriodicStall, count: int) -> np.ndarray:
    """Response times of requests at all phases, if none of them waits for another."""
    sent = (np.arange(count) + 0.5) / count * stall.period
    begin = np.maximum(sent, stall.length)
    end = begin + stall.service
    if stall.freezes:
        held = (end > stall.period) & (begin < stall.period)
        end = np.where(held, np.maximum(end, stall.period + stall.length), end)
    return end - sent


@pytest.mark.parametrize(
    ("stall", "tolerance"),
    [
        (PeriodicStall(0.01, 0.2, 2.0), 1e-3),
        (PeriodicStall(0.05, 0.2, 2.0, freezes=True), 1e-3),
        (PeriodicStall(0.001, 0.2, 2.0, utilisation=0.5), 3e-3),
    ],
)
def test_closed_form_of_a_stall_agrees_with_its_simulation(
    stall: PeriodicStall, tolerance: float
) -> None:
    """In seconds; arrivals 2 ms apart make a step of their own where requests queue."""
    if stall.utilisation:
        times = queued(stall, stall.utilisation / stall.service, 20.0)
    else:
        times = at_once(stall, 20_000)
    for percent in (50, 80, 90, 95, 99, 99.9):
        true = statistics.percentile(times, percent)
        assert stall.percentile(percent) == pytest.approx(true, abs=tolerance)


@pytest.mark.parametrize("freezes", [False, True])
def test_closed_loop_sees_a_stall_as_seldom_as_is_claimed(freezes: bool) -> None:
    """One user who sends again as soon as it is answered, over a hundred periods."""
    stall = PeriodicStall(0.01, 0.2, 2.0, freezes=freezes)
    now, times = 0.0, []
    while now < 100 * stall.period:
        begin = now + max(0.0, stall.length - now % stall.period)
        end = begin + stall.service
        if freezes and end // stall.period > begin // stall.period and end % stall.period > 1e-9:
            end = max(end, end // stall.period * stall.period + stall.length)
        times.append(end - now)
        now = end
    for percent in (50, 99, 99.9):
        true = statistics.percentile(times, percent)
        assert stall.closed_loop_percentile(percent) == pytest.approx(true, abs=1e-6)
