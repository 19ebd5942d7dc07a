"""The search for a capacity, on simulated systems whose capacity is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from testbed.runs.capacity.search import DriveVerdict, Search, SearchOutcome, SearchPlan, Stage

System = Callable[[float], DriveVerdict]


def run(system: System, plan: SearchPlan | None = None) -> tuple[Search, list[float]]:
    search, asked = Search(plan or SearchPlan()), []
    while (rate := search.next_rate()) is not None:
        asked.append(rate)
        search.record(rate, system(rate))
        assert len(asked) <= (plan or SearchPlan()).steps
    return search, asked


def exact(capacity: float) -> System:
    return lambda rate: DriveVerdict.HELD if rate <= capacity else DriveVerdict.FAILED


def noisy(capacity: float, spread: float, seed: int) -> System:
    """Holds with a probability that falls from 1 to 0 around the capacity, on a log scale."""
    rng = random.Random(seed)

    def drive(rate: float) -> DriveVerdict:
        distance = math.log(rate / capacity) / spread
        return (
            DriveVerdict.FAILED
            if rng.random() < 1 / (1 + math.exp(-distance))
            else DriveVerdict.HELD
        )

    return drive


@pytest.mark.parametrize("capacity", [3, 49, 50, 51, 137, 800, 4400])
def test_capacity_of_an_exact_system_is_found_within_the_precision(capacity: float) -> None:
    search, asked = run(exact(capacity))
    assert search.outcome is SearchOutcome.FOUND
    assert search.held is not None
    assert search.failed is not None
    assert search.held <= capacity < search.failed
    assert search.failed / search.held <= 1.1 + 1e-9
    assert len(asked) < 30


def test_capacity_of_a_noisy_system_is_found_within_tolerance() -> None:
    found = []
    for seed in range(300):
        search, _ = run(noisy(300, 0.04, seed))
        assert search.held is not None
        found.append(search.held)
    near = sum(300 / 1.2 <= each <= 300 * 1.2 for each in found)
    assert near >= 0.97 * len(found)
    assert sorted(found)[len(found) // 2] == pytest.approx(300, rel=0.1)


def test_single_bad_drive_does_not_lower_the_capacity() -> None:
    bad = iter([True])
    system = exact(300)

    def drive(rate: float) -> DriveVerdict:
        return DriveVerdict.FAILED if rate == 100 and next(bad, False) else system(rate)

    search, asked = run(drive)
    assert asked.count(100) == 2
    assert search.held == pytest.approx(300, rel=0.1)


def test_rate_that_held_by_luck_is_not_confirmed() -> None:
    seen: dict[float, int] = {}

    def drive(rate: float) -> DriveVerdict:
        seen[rate] = seen.get(rate, 0) + 1
        lucky = rate == 400 and seen[rate] == 1
        return DriveVerdict.HELD if rate <= 300 or lucky else DriveVerdict.FAILED

    search, _ = run(drive)
    assert search.outcome is SearchOutcome.FOUND
    assert search.held == pytest.approx(300, rel=0.1)


def test_system_that_never_holds_ends_at_the_least_rate() -> None:
    search, asked = run(lambda _rate: DriveVerdict.FAILED)
    assert search.outcome is SearchOutcome.NEVER
    assert search.held is None
    assert asked[-1] == SearchPlan().least


def test_system_that_always_holds_is_given_as_at_least_the_greatest_rate() -> None:
    search, asked = run(lambda _rate: DriveVerdict.HELD)
    assert search.outcome is SearchOutcome.AT_LEAST
    assert search.held == asked[-1] == SearchPlan().most


def test_generator_that_saturates_first_gives_no_capacity() -> None:
    search, _ = run(lambda rate: DriveVerdict.HELD if rate <= 500 else DriveVerdict.VOID)
    assert search.outcome is SearchOutcome.GENERATOR
    assert search.held == pytest.approx(500, rel=0.1)


def test_failure_above_which_the_generator_saturates_is_still_a_capacity() -> None:
    def drive(rate: float) -> DriveVerdict:
        return (
            DriveVerdict.HELD
            if rate <= 300
            else DriveVerdict.FAILED
            if rate <= 600
            else DriveVerdict.VOID
        )

    search, _ = run(drive)
    assert search.outcome is SearchOutcome.FOUND
    assert search.held == pytest.approx(300, rel=0.1)


def test_a_search_that_finds_only_void_drives_ends_soon_and_gives_no_figure() -> None:
    search, asked = run(lambda _rate: DriveVerdict.VOID)
    assert search.outcome is SearchOutcome.NOTHING
    assert search.held is None
    assert asked == [100, 100, 50, 50, 25, 25]


def test_a_first_rate_that_is_too_high_for_the_generator_is_halved_until_it_is_not() -> None:
    search, asked = run(
        lambda rate: DriveVerdict.HELD if rate <= 300 else DriveVerdict.VOID,
        SearchPlan(first=1000),
    )
    assert asked[:5] == [1000, 1000, 500, 500, 250]
    assert search.outcome is SearchOutcome.GENERATOR
    assert search.held == pytest.approx(300, rel=0.1)


def test_rates_that_fail_for_the_design_are_gone_below_however_many_are_void_between() -> None:
    verdicts = {400: DriveVerdict.FAILED, 100: DriveVerdict.FAILED, 25: DriveVerdict.FAILED}
    search, asked = run(
        lambda rate: DriveVerdict.HELD if rate <= 6.25 else verdicts.get(rate, DriveVerdict.VOID),
        SearchPlan(first=800),
    )
    assert 6.25 in asked
    assert search.held is not None


def test_confirmation_drives_both_ends_of_the_bracket_in_turn() -> None:
    search, system, confirming = Search(SearchPlan()), exact(300), []
    while (rate := search.next_rate()) is not None:
        if search.stage is Stage.CONFIRM:
            confirming.append(rate)
        search.record(rate, system(rate))
    assert confirming == [search.held, search.failed] * 2
    assert search.votes(confirming[0]) == (2, 2)
    assert search.votes(confirming[1]) == (0, 2)


@pytest.mark.parametrize("seed", range(50))
def test_search_ends_within_its_steps_on_random_verdicts(seed: int) -> None:
    rng = random.Random(seed)
    search, asked = run(lambda _rate: rng.choice(list(DriveVerdict)), SearchPlan(steps=25))
    assert search.stage is Stage.DONE
    assert len(asked) <= 25


def test_steps_that_run_out_leave_the_result_unconfirmed() -> None:
    search, asked = run(exact(300), SearchPlan(first=50, steps=5))
    assert len(asked) == 5
    assert search.outcome is SearchOutcome.UNCONFIRMED
    assert search.held == 200


def test_rate_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match="was not asked for"):
        Search(SearchPlan()).record(77, DriveVerdict.HELD)


@pytest.mark.parametrize("changes", [{"first": 1}, {"factor": 1}, {"precision": 0}, {"steps": 0}])
def test_impossible_search_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        SearchPlan(**changes)  # type: ignore[arg-type]
