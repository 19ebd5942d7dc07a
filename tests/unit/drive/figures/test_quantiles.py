"""Percentiles of histograms and of values."""

from __future__ import annotations

import random

import pytest

from testbed.drive.figures import quantiles as percentiles
from testbed.record.calls import blank


def test_percentiles_of_a_histogram_are_those_of_the_values_within_a_thousandth() -> None:
    source = random.Random(1)
    values = [int(source.lognormvariate(7, 1)) + 1 for _ in range(20_000)]
    ordered = sorted(values)
    recorded = blank()
    for value in values:
        recorded.record_value(value)
    for percent in (50, 95, 99):
        figure = percentiles.of_histogram(recorded, percent, 1.0)
        assert figure.value == pytest.approx(ordered[200 * percent - 1], rel=1e-3)


def test_percentile_of_values_is_the_nearest_rank() -> None:
    assert percentiles.of_values(range(1, 1001), 50).value == 500
    assert percentiles.of_values(range(1, 1001), 99).value == 990


@pytest.mark.parametrize(("percent", "needed"), [(50, 20), (95, 200), (99, 1000)])
def test_percentile_needs_ten_samples_beyond_it(percent: float, needed: int) -> None:
    enough = percentiles.of_values([1.0] * needed, percent)
    fewer = percentiles.of_values([1.0] * (needed - 1), percent)
    assert (enough.value, enough.too_few) == (1.0, False)
    assert (fewer.value, fewer.too_few, fewer.samples) == (None, True, needed - 1)


def test_no_samples_are_not_called_too_few() -> None:
    assert not percentiles.of_values([], 50).too_few
    assert not percentiles.of_histogram(blank(), 50, 1.0).too_few
