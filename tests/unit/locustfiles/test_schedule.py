"""When calls are due: how shapes are read, and what times they make."""

from __future__ import annotations

import math
from itertools import islice, pairwise

import pytest

from tests.unit.locustfiles.modules import load

profile, schedule = load("profile"), load("schedule")


def times(
    shape: str, arrivals: str = "even", seed: int = 1, index: int = 0, of: int = 1
) -> list[float]:
    """All times at which one process's calls are due."""
    share = schedule.Share(index, of)
    return list(schedule.due_times(profile.parse(shape), arrivals, seed, share))


def test_even_calls_are_due_in_the_middle_of_equal_intervals() -> None:
    due = schedule.due_times(profile.constant(100.0), "even", 1, schedule.Share())

    assert list(islice(due, 3)) == pytest.approx([0.005, 0.015, 0.025])


def test_even_calls_of_all_processes_make_the_calls_of_one() -> None:
    shape = "ramp:10,90@10s"
    dealt = [due for index in range(3) for due in times(shape, index=index, of=3)]

    assert sorted(dealt) == pytest.approx(times(shape))


@pytest.mark.parametrize(
    ("shape", "calls"),
    [
        ("steps:50,100@10s", 1500),
        ("ramp:0,100@10s", 500),
        ("ramp:100,0@10s", 500),
        ("spike:10,200@10s,2s", 600),
        ("sine:50,150@10s,30s", 3000),
    ],
)
def test_a_shape_of_rates_makes_as_many_calls_as_its_area(shape: str, calls: int) -> None:
    due = times(shape)

    assert abs(len(due) - calls) <= 1
    assert all(earlier < later for earlier, later in pairwise(due))
    assert due[-1] <= profile.parse(shape).seconds


def test_a_ramp_s_calls_come_closer_as_its_rate_grows() -> None:
    gaps = [later - earlier for earlier, later in pairwise(times("ramp:10,90@10s"))]

    assert all(later < earlier for earlier, later in pairwise(gaps))
    assert (gaps[0], gaps[-1]) == pytest.approx((1 / 10, 1 / 90), rel=0.1)


def test_poisson_calls_have_the_rate_and_exponential_gaps() -> None:
    due = times("steps:100@200s", "poisson")
    gaps = [later - earlier for earlier, later in pairwise(due)]

    assert len(due) == pytest.approx(20_000, rel=0.03)
    for multiple in (0.5, 1, 2):
        share = sum(gap > multiple * 0.01 for gap in gaps) / len(gaps)
        assert share == pytest.approx(math.exp(-multiple), abs=0.02)


def test_the_seed_and_the_process_decide_poisson_calls() -> None:
    shape = "steps:100@1s"

    assert times(shape, "poisson", seed=7) == times(shape, "poisson", seed=7)
    assert times(shape, "poisson", seed=7) != times(shape, "poisson", seed=8)
    assert times(shape, "poisson", index=0, of=2) != times(shape, "poisson", index=1, of=2)


def test_poisson_calls_of_all_processes_add_up_to_the_rate() -> None:
    counts = [len(times("steps:100@200s", "poisson", index=index, of=4)) for index in range(4)]

    assert sum(counts) == pytest.approx(20_000, rel=0.03)
    assert counts == pytest.approx([5_000] * 4, rel=0.1)


def test_shares_of_a_number_add_up_to_it() -> None:
    assert [schedule.Share(index, 3).of(10) for index in range(3)] == [4, 3, 3]


def test_a_shape_is_cut_into_steps_without_gaps() -> None:
    steps = profile.parse("spike:50,500@30s,1m").steps

    assert [(each.from_seconds, each.to_seconds, each.value) for each in steps] == [
        (0, 30, 50),
        (30, 90, 500),
        (90, 120, 50),
    ]
    ramp = profile.parse("ramp:0,100@10s").steps
    assert [each.value for each in ramp] == pytest.approx([5 + 10 * part for part in range(10)])
    assert [each.to_seconds for each in ramp[:-1]] == [each.from_seconds for each in ramp[1:]]


def test_a_wave_begins_low_and_is_high_in_the_middle() -> None:
    wave = profile.parse("sine:50,150@10s")

    assert [wave.at(second) for second in (0, 5, 10)] == pytest.approx([50, 150, 50])
