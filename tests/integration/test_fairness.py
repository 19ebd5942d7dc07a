"""Both designs, started for real, say what they run with; what differs is named."""

from __future__ import annotations

import pytest

from testbed.drive.facts import DECLARED, EQUAL
from testbed.drive.fairness import Fairness
from testbed.drive.statements import Statement, Unfair, ask
from testbed.stack.records import StackRecord
from tests.integration.conftest import StackMaker
from tests.support.stacks import Stack

CELL = "the only cell"


def _statement(stack: Stack) -> Statement:
    metrics = {name: stack.metrics_address(name) for name in stack.names}
    record = StackRecord(stack.design, "test", stack.endpoints, metrics, (), stack.slots, {}, "")
    return ask(record)


def test_both_designs_run_with_the_same_facts(start_stack: StackMaker) -> None:
    fairness = Fairness()
    for side, design in enumerate("ab"):
        fairness.compare(CELL, side, _statement(start_stack(design, slots=12)))
    found = {each.name: each for each in fairness.facts(CELL)}
    assert {each.status for each in found.values()} == {EQUAL}
    assert {"slots", "lease", "code", "log_level", "durability", "methods"} <= found.keys()


def test_stack_with_another_lease_and_other_slots_is_distinguished_unless_both_are_declared(
    start_stack: StackMaker,
) -> None:
    fairness = Fairness()
    fairness.compare(CELL, 0, _statement(start_stack("a", slots=12)))
    second = _statement(start_stack("b", slots=24, lease=9.0))
    named = "lease: 6 in design A and 9 in .*; slots in total: 12 in design A and 24 in design B"
    with pytest.raises(Unfair, match=named):
        fairness.compare(CELL, 1, second)
    fairness.compare(CELL, 1, second, {"lease": "option lease=9", "slots": "option slots=24"})
    assert [each.name for each in fairness.facts(CELL) if each.status == DECLARED] == [
        "lease",
        "slots",
    ]
