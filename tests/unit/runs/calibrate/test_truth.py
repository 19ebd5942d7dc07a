"""What is held to be true, against simulation and against a second derivation."""

from __future__ import annotations

import random

import numpy as np
import pytest

from testbed.errors import TestbedError
from testbed.runs.calibrate import truth
from testbed.runs.calibrate.behaviour import Behaviour, Mixture, Stall
from testbed.runs.calibrate.plan import SERVICE, CalibrationPlan
from testbed.stats import PeriodicStall

STALL = Stall(2.0, 0.4)
MIXTURE = Mixture(((2.0, 0.8), (20.0, 0.2)))
PERCENTS = (10, 50, 79, 81, 90, 95, 99, 99.9)


def simulated_open_loop(service: Mixture, stall: Stall, calls: int) -> np.ndarray:
    """Response times in milliseconds of evenly spread calls that do not wait for one another."""
    rng = random.Random(5)
    times = []
    for number in range(calls):
        sent = number * stall.period * 0.618034
        due = sent + service.draw(rng.random()) / 1000
        times.append((due - sent) * 1000 + stall.held_ns(round(due * 1e9)) / 1e6)
    return np.sort(times)


def simulated_closed_loop(
    service: Mixture, stall: Stall, think: float, seconds: float
) -> np.ndarray:
    """Response times of users of which each waits for its answer, then thinks."""
    rng = random.Random(7)
    times = []
    for _ in range(40):
        now = rng.random() * stall.period
        while now < seconds:
            due = now + service.draw(rng.random()) / 1000
            answered = due + stall.held_ns(round(due * 1e9)) / 1e9
            times.append((answered - now) * 1000)
            now = answered + think * (0.5 + rng.random())
    return np.sort(times)


@pytest.mark.parametrize("service", [Mixture(((5.0, 1.0),)), MIXTURE])
def test_open_loop_percentiles_are_those_of_a_simulation(service: Mixture) -> None:
    times = simulated_open_loop(service, STALL, 60_000)
    for percent in (50, 79, 85, 90, 95, 99):
        true = truth.open_loop_percentile(service, STALL, percent)
        assert float(np.percentile(times, percent)) == pytest.approx(true, rel=0.01, abs=0.5)


def test_time_that_a_stall_adds_agrees_with_the_periodic_stall_of_the_statistics() -> None:
    other = PeriodicStall(service=0.0, length=0.4, period=2.0)
    for percent in PERCENTS:
        true = truth.open_loop_percentile(Mixture(((5.0, 1.0),)), STALL, percent)
        assert true - 5 == pytest.approx(other.percentile(percent) * 1000, abs=1e-6)


def test_without_a_stall_the_percentiles_are_those_of_the_service_time() -> None:
    assert truth.open_loop_percentile(MIXTURE, None, 80) == pytest.approx(2)
    assert truth.open_loop_percentile(MIXTURE, None, 81) == pytest.approx(20)


def test_closed_loop_percentiles_are_those_of_a_simulation() -> None:
    think = 0.05
    cycle = MIXTURE.mean_ms / 1000 + think
    times = simulated_closed_loop(MIXTURE, STALL, think, 400)
    for percent in (50, 90, 95, 99):
        true = truth.closed_loop_percentile(MIXTURE, STALL, cycle, percent)
        assert float(np.percentile(times, percent)) == pytest.approx(true, rel=0.05, abs=1)


def test_closed_loop_leaves_out_most_of_a_stall() -> None:
    opened = truth.open_loop_percentile(MIXTURE, STALL, 95)
    closed = truth.closed_loop_percentile(MIXTURE, STALL, 0.055, 95)
    assert opened > 300
    assert closed < 25


def test_closed_loop_slower_than_the_stall_is_refused() -> None:
    with pytest.raises(ValueError, match="not shorter than the stall"):
        truth.closed_loop_cdf(MIXTURE, STALL, 0.5, 10)


def test_mixture_is_drawn_by_its_shares() -> None:
    drawn = [MIXTURE.draw(number / 1000) for number in range(1000)]
    assert drawn.count(2.0) == 800
    assert drawn.count(20.0) == 200
    assert MIXTURE.mean_ms == pytest.approx(5.6)


@pytest.mark.parametrize(
    "parts", [(), ((2.0, 0.5),), ((20.0, 0.5), (2.0, 0.5)), ((2.0, 0.0), (3.0, 1.0))]
)
def test_impossible_mixture_is_refused(parts: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="must"):
        Mixture(parts)


def test_stall_as_long_as_its_period_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot come every"):
        Stall(1.0, 1.0)


def test_stall_holds_until_its_end_and_not_beyond() -> None:
    second = 1_000_000_000
    assert STALL.held_ns(round(10.3 * second)) == pytest.approx(0.4 * second, abs=1000)
    assert STALL.held_ns(round(10.6 * second)) == pytest.approx(0.1 * second, abs=1000)
    assert STALL.held_ns(round(10.71 * second)) == 0
    assert STALL.held_ns(round(12.29 * second)) == 0


def test_behaviour_survives_the_way_to_the_server() -> None:
    behaviour = Behaviour(SERVICE, STALL, 7)
    assert Behaviour.from_data(behaviour.as_data()) == behaviour
    assert Behaviour.from_data(Behaviour(SERVICE).as_data()).stall is None


@pytest.mark.parametrize("changes", [{"rate": 1}, {"rate": 10_000}, {"duration": 1}])
def test_impossible_calibration_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(TestbedError, match="must be from"):
        CalibrationPlan(**changes)


@pytest.mark.parametrize("duration", [4, 5, 10, 20])
def test_every_calibration_has_at_least_two_stalls(duration: int) -> None:
    plan = CalibrationPlan(duration=duration)
    assert duration // round(plan.stall.period) >= 2
    assert plan.cycle < plan.stall.length
