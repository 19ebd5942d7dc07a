"""The statistics on synthetic data whose truth is known; every simulation is seeded."""

from __future__ import annotations

import math

import numpy as np
import pytest

from testbed import stats as statistics

RUNS = 300


def blocks(
    rng: np.random.Generator, true_ratio: float, count: int, noise: float = 0.05
) -> tuple[list[list[float]], list[list[float]]]:
    """Draw a comparison: a shift that both sides of a block share, and noise of each trial."""
    shift = rng.normal(0, 0.3, count)
    first = np.exp(shift + rng.normal(0, noise, count))
    second = true_ratio * np.exp(shift + rng.normal(0, noise, count))
    return [[value] for value in first], [[value] for value in second]


@pytest.mark.parametrize("count", [3, 5, 10])
def test_interval_of_a_ratio_holds_the_true_one_as_often_as_it_says(count: int) -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(RUNS):
        interval = statistics.ratio_interval(*blocks(rng, 1.2, count))
        assert interval is not None
        held += interval.low <= 1.2 <= interval.high
    assert 0.92 <= held / RUNS <= 0.98


def test_interval_of_a_ratio_shuts_the_truth_out_as_seldom_as_it_says() -> None:
    rng = np.random.default_rng(2)
    false = 0
    for _ in range(RUNS):
        interval = statistics.ratio_interval(*blocks(rng, 1.0, 5))
        assert interval is not None
        false += not interval.low <= 1 <= interval.high
    assert false / RUNS <= 0.08


def test_a_difference_of_a_fifth_is_seen_with_five_blocks() -> None:
    rng = np.random.default_rng(3)
    seen = 0
    for _ in range(RUNS):
        interval = statistics.ratio_interval(*blocks(rng, 1.2, 5))
        assert interval is not None
        seen += interval.low > 1
    assert seen / RUNS >= 0.8


@pytest.mark.parametrize("values", [[[1.0]], [[1.0], [0.0]], [[1.0], [None]]])
def test_no_interval_is_made_up_from_too_little(values: list[list[float | None]]) -> None:
    assert statistics.ratio_interval(values, [[2.0]] * len(values)) is None


def test_two_trials_of_a_side_in_a_block_are_pooled_with_the_spread_between_blocks() -> None:
    """By hand: the ratios of blocks are 1 and 1.21, trials of a side are 1.1 apart in one block."""
    first, second = [[1.0, 1.1], [1.0, 1.0]], [[1.0, 1.1], [1.21, 1.21]]
    interval = statistics.ratio_interval(first, second)
    assert interval is not None
    step = math.log(1.1)
    assert interval.estimate == pytest.approx(1.1)
    assert interval.degrees == 1 + 4
    variance = (2 * step**2 + 2 * step**2 / 2) / 5
    assert interval.log_error() == pytest.approx(math.sqrt(variance / 2))
    floor = statistics.noise_floor(first, second)
    reach = 2.7764451 * math.sqrt(step**2 / 4 / 2)
    assert floor == pytest.approx(math.expm1(reach))


def test_one_trial_of_a_side_in_a_block_gives_the_interval_of_the_ratios_of_blocks() -> None:
    rng = np.random.default_rng(6)
    first, second = blocks(rng, 1.2, 6)
    interval = statistics.ratio_interval(first, second)
    logs = np.log(np.array(second) / np.array(first))[:, 0]
    assert interval is not None
    assert interval.log_error() == pytest.approx(logs.std(ddof=1) / math.sqrt(6))
    assert (interval.degrees, interval.blocks) == (5, 6)
    assert statistics.noise_floor(first, second) is None


def test_block_with_fewer_trials_weighs_less() -> None:
    """The second block lacks a trial of each side: its ratio has twice the variance."""
    interval = statistics.ratio_interval([[1.0, 1.0], [1.0, None]], [[1.0, 1.0], [8.0]])
    assert interval is not None
    assert interval.estimate == pytest.approx(2.0)
    assert interval.degrees == 1 + 2


def test_verdict_needs_a_ratio_beyond_the_noise_floor() -> None:
    ratio = statistics.ratio_interval([[1.0]] * 4, [[1.1], [1.11], [1.1], [1.12]])
    beyond, within = (statistics.verdict(ratio, floor, "lower") for floor in (0.05, 0.2))
    assert beyond.outcome == statistics.RatioOutcome.REFERENCE_BETTER
    assert "beyond the noise floor of ±5.0 %" in beyond.words
    assert within.outcome == statistics.RatioOutcome.NO_DIFFERENCE
    assert "not clear of the noise floor of ±20 %" in within.words


def test_difference_of_less_than_a_percent_is_not_named_however_sure_it_is() -> None:
    sure = (
        [[[1.0, 1.0001]] * 5, [[0.992, 0.9921]] * 5],
        [[[1.0, 1.0001]] * 5, [[0.985, 0.9851]] * 5],
    )
    small, large = (statistics.ratio_interval(*sides) for sides in sure)
    assert statistics.verdict(large, None, "lower").outcome is statistics.RatioOutcome.SIDE_BETTER
    found = statistics.verdict(small, None, "lower")
    assert found.outcome is statistics.RatioOutcome.NO_DIFFERENCE
    assert "off 1, but by too little to matter" in found.words


@pytest.mark.parametrize("floor", [-0.1, math.inf, math.nan])
def test_noise_floor_that_is_none_is_refused(floor: float) -> None:
    with pytest.raises(ValueError, match="noise floor"):
        statistics.verdict(None, floor, "lower")


def test_sides_with_different_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="3 blocks"):
        statistics.ratio_interval([[1.0]] * 3, [[1.0]] * 2)


def test_interval_of_a_percentile_holds_the_true_one() -> None:
    rng = np.random.default_rng(4)
    true = -np.log(0.05)  # p95 of an exponential distribution with mean 1
    held = 0
    for _ in range(RUNS):
        interval = statistics.percentile_interval(list(rng.exponential(1, 1000)), 95)
        assert interval is not None
        held += interval.low <= true <= interval.high
    assert 0.92 <= held / RUNS <= 0.99


def test_percentile_with_too_few_samples_is_none() -> None:
    needed = statistics.samples_needed(99)
    assert statistics.percentile_interval([1.0] * (needed - 1), 99) is None
    assert statistics.percentile_interval([1.0] * needed, 99) is not None


def test_end_of_a_warm_up_is_found_near_where_it_is() -> None:
    rng = np.random.default_rng(5)
    series = np.concatenate([np.linspace(50, 10, 20), np.full(100, 10.0)])
    found = statistics.warmup_end(list(series + rng.normal(0, 0.5, 120)))
    assert found is not None
    assert 10 <= found <= 35


def test_series_that_never_settles_has_no_end_of_a_warm_up() -> None:
    assert statistics.warmup_end([float(value) for value in range(100)]) is None


def test_scalability_law_is_recovered_from_its_own_points() -> None:
    load = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    true = [100 * n / (1 + 0.05 * (n - 1) + 0.001 * n * (n - 1)) for n in load]
    fit = statistics.fit_usl(load, true)
    assert fit is not None
    found = [fit.predict(n) for n in load]
    assert found == pytest.approx(true, rel=0.01)
