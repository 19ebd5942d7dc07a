"""Both designs, started for real, say what they run with; what differs is named."""

from __future__ import annotations

from testbed.drive.fairness import Statement, ask, differences
from testbed.stack.records import StackRecord
from tests.integration.conftest import StackMaker
from tests.support.stacks import Stack


def _statement(stack: Stack) -> Statement:
    metrics = {name: stack.metrics_address(name) for name in stack.names}
    record = StackRecord(stack.design, "test", stack.endpoints, metrics, (), stack.slots, {}, "")
    return ask(record)


def test_both_designs_run_with_the_same_unless_a_setting_or_the_slots_differ(
    start_stack: StackMaker,
) -> None:
    first = _statement(start_stack("a", slots=12))
    second = _statement(start_stack("b", slots=12))
    assert list(differences(first, second)) == []


def test_stack_with_another_lease_and_other_slots_is_distinguished_by_both(
    start_stack: StackMaker,
) -> None:
    first = _statement(start_stack("a", slots=12))
    second = _statement(start_stack("b", slots=24, lease=9.0))
    assert list(differences(first, second)) == ["slots in total: 12 and 24", "lease: 6 and 9"]
