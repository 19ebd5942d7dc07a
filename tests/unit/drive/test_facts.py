from __future__ import annotations

from typing import Any

from testbed.drive import facts
from testbed.drive.facts import DECLARED, EQUAL, UNKNOWN, Said, beside
from testbed.record.model import TrialHeader

LEASE_10 = Said({"lease": "10", "slots": "12"}, {"lease": "option lease=10"})


def header(side: int, values: dict[str, str], **changes: Any) -> TrialHeader:
    given = {"number": side + 1, "block": 1, "position": 1, "side": side, "design": "ab"[side]}
    return TrialHeader(**{**given, "status": "complete", "fairness": {"values": values}, **changes})


def test_every_fact_of_any_side_is_listed_with_how_it_stands() -> None:
    plain = Said({"lease": "6", "slots": "12", "store": "memory"})
    found = beside([plain, LEASE_10])
    assert [(each.name, each.status) for each in found] == [
        ("lease", DECLARED),
        ("slots", EQUAL),
        ("store", UNKNOWN),
    ]


def test_what_declares_a_difference_is_named_once_for_all_its_values() -> None:
    other = Said({"lease": "20"}, {"lease": "option lease=20"})
    (lease,) = beside([Said({"lease": "6"}), Said({"lease": "10"}, LEASE_10.declared), other])
    assert lease.as_data() == {
        "name": "lease",
        "status": DECLARED,
        "values": ["6", "10", "20"],
        "declared_by": ["option lease"],
    }


def test_declaration_of_one_fact_goes_before_that_of_any() -> None:
    revision = {facts.ANY: "revision v1", "lease": "option lease=10"}
    (lease,) = beside([Said({"lease": "6"}), Said({"lease": "10"}, revision)])
    assert lease.causes == ("option lease",)


def test_fact_that_differs_as_declared_may_be_unknown_elsewhere() -> None:
    (lease, *_) = beside([Said({"lease": "6"}), LEASE_10, Said({})])
    assert (lease.status, lease.unknown) == (DECLARED, True)


def test_declared_fact_that_does_not_differ_is_equal() -> None:
    (lease,) = beside([Said({"lease": "10"}), Said({"lease": "10"}, LEASE_10.declared)])
    assert lease.status == EQUAL


def test_limits_are_equal_but_for_the_rounding_of_the_kernel() -> None:
    assert facts.same("cpus", "3", "2.99992")
    assert not facts.same("cpus", "3", "no limit")
    assert not facts.same("lease", "3", "2.99992")


def test_facts_of_trials_are_those_that_their_sides_recorded() -> None:
    trials = [
        header(0, {"lease": "6"}),
        header(1, {"lease": "10"}, declared={"lease": "option lease=10"}),
    ]
    (lease,) = facts.of_trials(trials, 2)
    assert (lease.values, lease.status) == (("6", "10"), DECLARED)


def test_trials_of_a_side_that_say_different_things_say_all_of_it() -> None:
    (lease,) = facts.of_trials([header(0, {"lease": "6"}), header(0, {"lease": "7"})], 1)
    assert lease.values == ("6 or 7",)


def test_trials_without_a_record_have_no_facts() -> None:
    assert facts.of_trials([header(0, {}, fairness={}), header(1, {}, fairness={})], 2) == ()
