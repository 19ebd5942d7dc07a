"""What differs without being declared stops a comparison, and is named with what each side says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbed.drive.facts import ANY, DECLARED, EQUAL, UNKNOWN
from testbed.drive.fairness import Fairness
from testbed.drive.statements import Statement, Unfair, state
from tests.support.statements import MIB, identity_of, stack, stated, within

CELL = "the only cell"


def statuses(fairness: Fairness) -> dict[str, str]:
    return {each.name: each.status for each in fairness.facts(CELL)}


def compare(*statements: Statement, allowed: tuple[str, ...] = ()) -> Fairness:
    fairness = Fairness(allowed)
    for side, each in enumerate(statements):
        fairness.compare(CELL, side, each)
    return fairness


def test_totals_are_equal_however_they_are_shared_out() -> None:
    whole = {"worker": identity_of(slots=12, fetchers=2), "queue": identity_of(True)}
    parts = stack("n", 2, 6, max_queued_jobs=90_000, max_queued_bytes=120 << 20)
    assert set(statuses(compare(state("a", whole), state("b", parts))).values()) == {EQUAL}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"lease": 9.0}, "lease: 6 in design A and 9 in design B"),
        ({"long_poll": 3.0}, "long_poll: 2 in design A and 3 in design B"),
        (
            {"max_queued_jobs": 5},
            "max_queued_jobs in total: 360,000 in design A and 10 in design B",
        ),
        ({"log_level": "DEBUG"}, "log_level: INFO in design A and DEBUG in design B"),
        ({"slots": 18}, "slots in total: 12 in design A and 36 in design B"),
    ],
)
def test_difference_is_named_with_what_each_side_says(
    changed: dict[str, object], named: str
) -> None:
    other = state("b", stack("b", 2, **{"slots": 6, **changed}))  # type: ignore[arg-type]
    with pytest.raises(Unfair, match=f"design A and design B do not run with the same: {named}$"):
        compare(stated("a"), other)


def test_another_store_never_passes_as_equal_since_it_is_a_text() -> None:
    redis, memory = (stated("a", store=store) for store in ("redis", "memory"))
    with pytest.raises(Unfair, match=r"same: .*store: redis in design A and memory in design A$"):
        compare(redis, memory)


def test_other_code_or_handlers_are_named() -> None:
    process = identity_of(True, slots=6)
    other = replace(process, build={**process.build, "code": "c0", "handlers": "h0"})
    with pytest.raises(Unfair, match=r"code: \w+ in .* and c0 in .*; handlers: \w+ in .* and h0"):
        compare(state("a", {"x": process}), state("b", {"x": other}))


def test_the_odd_one_of_any_number_of_sides_is_named() -> None:
    labels = ("a", "b", "b 2nd")
    fairness = Fairness()
    fairness.compare(CELL, 0, stated("a"), label=labels[0])
    fairness.compare(CELL, 1, stated("b"), label=labels[1])
    with pytest.raises(Unfair, match=r"a, b and b 2nd do not .*: lease: 6 in a, 6 in b and 9 in b"):
        fairness.compare(CELL, 2, stated("b", lease=9.0), label=labels[2])


def test_fact_that_an_option_declares_may_differ_and_is_listed_as_that() -> None:
    fairness = compare(stated("a"))
    fairness.compare(CELL, 1, stated("a", lease=10.0), {"lease": "option lease=10"})
    found = statuses(fairness)
    assert found.pop("lease") == DECLARED
    assert set(found.values()) == {EQUAL}


@pytest.mark.parametrize("settings", [{"lease": 9.0}, {"long_poll": 1.0}])
def test_option_of_one_side_excuses_no_other_side_and_no_other_fact(
    settings: dict[str, float],
) -> None:
    fairness = compare(stated("a"))
    fairness.compare(CELL, 1, stated("a", lease=10.0), {"lease": "option lease=10"})
    with pytest.raises(Unfair, match=f": {next(iter(settings))}: "):
        fairness.compare(CELL, 2, stated("b", **settings))


def test_sides_with_the_same_option_have_to_agree_in_what_it_declares() -> None:
    fairness = Fairness()
    fairness.compare(CELL, 0, stated("a", lease=10.0), {"lease": "option lease=10"})
    with pytest.raises(Unfair, match="lease: 10 in design A and 6 in design B"):
        fairness.compare(CELL, 1, stated("b"), {"lease": "option lease=10"})


def test_any_fact_of_a_revision_may_differ() -> None:
    fairness = compare(stated("a"))
    other = replace(stated("a", lease=9.0), values={**stated("a").values, "code": "older"})
    fairness.compare(CELL, 1, other, {ANY: "revision HEAD~3"})
    assert [each.causes for each in fairness.facts(CELL) if each.status == DECLARED] == [
        ("revision HEAD~3",)
    ]


def test_fact_that_a_side_does_not_say_is_unknown_and_not_equal() -> None:
    fairness = compare(stated("a"), Statement("h:1", {}, {"delivery": "at-least-once"}))
    found = statuses(fairness)
    assert found.pop("delivery") == EQUAL
    assert set(found.values()) == {UNKNOWN}


def test_what_the_plan_allows_may_differ_on_any_side() -> None:
    sides = stated("a"), Statement("h:1", {}, {"durability": "disk"})
    with pytest.raises(Unfair, match=r"durability: none in .* and disk in") as caught:
        compare(*sides)
    assert "may differ (declared, --declare): durability" in caught.value.hint
    (fact,) = [
        each
        for each in compare(*sides, allowed=("durability",)).facts(CELL)
        if each.status == DECLARED
    ]
    assert (fact.name, fact.causes) == ("durability", ("the plan",))


def test_side_that_changes_what_it_says_is_objected_to() -> None:
    fairness = compare(stated("a"), stated("b"))
    with pytest.raises(Unfair, match=r"A does not run with what it did before: lease: 6 and 9$"):
        fairness.compare(CELL, 0, stated("a", lease=9.0), {"lease": "option lease=9"})


def test_side_that_falls_silent_is_objected_to() -> None:
    fairness = compare(stated("a"))
    silent = replace(stated("a"), totals={})
    with pytest.raises(Unfair, match="slots in total: 12 and nothing"):
        fairness.compare(CELL, 0, silent)


def test_cells_are_not_held_against_each_other() -> None:
    fairness = Fairness()
    fairness.compare("12 slots", 0, state("a", stack("a", 2, 6)))
    fairness.compare("24 slots", 1, state("b", stack("b", 4, 6)))


def test_budgets_are_equal_in_total_however_many_processes_share_them() -> None:
    six = state("a", within(6, 0.5, 200 * MIB))
    # As the kernel rounds them: microseconds of a period, and pages.
    eight = state("b", within(8, 0.37499, 150 * MIB - 4096))
    assert set(statuses(compare(six, eight)).values()) == {EQUAL}


@pytest.mark.parametrize(
    ("cpus", "memory", "named"),
    [
        (0.75, 200 * MIB, "cpus in total: 3 in design A and 4.5 in design B$"),
        (0.5, 100 * MIB, "memory_mib in total: 1200 in design A and 600 in design B$"),
        (None, 200 * MIB, "cpus in total: 3 in design A and no limit in design B$"),
    ],
)
def test_other_budget_in_total_is_named(cpus: float | None, memory: int | None, named: str) -> None:
    with pytest.raises(Unfair, match=named):
        compare(state("a", within(6, 0.5, 200 * MIB)), state("b", within(6, cpus, memory)))


def test_processes_of_one_side_with_unequal_budgets_are_objected_to() -> None:
    mixed = {**within(2, 0.5, MIB), "big": within(1, 2.0, MIB)["p0"]}
    with pytest.raises(Unfair, match=r"design A do not have the same budget: CPU of a process: "):
        compare(state("a", mixed))
