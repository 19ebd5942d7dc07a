"""Which stack Locust drives when one is named by the side that it was started as."""

from __future__ import annotations

import pytest

from testbed.stack.records import StackRecord
from tests.unit.locustfiles.modules import load

target = load("target")


def up(side: str, endpoint: str) -> StackRecord:
    design = side.partition("+")[0].partition("@")[0]
    return StackRecord(design, "local", (endpoint,), {}, (), 6, {}, "now", ready=True, side=side)


STACKS = (up("a@HEAD~1+lease=10+slots=24", "127.0.0.1:1"), up("b", "127.0.0.1:2"))


@pytest.mark.parametrize(
    "named", ["a", "A", "a@HEAD~1+slots=24+lease=10", "A@HEAD~1+lease=10+slots=24"]
)
def test_a_stack_is_found_by_its_design_and_by_its_side_in_any_order_of_options(named: str) -> None:
    assert target.resolve(None, named, lambda: STACKS) == ["127.0.0.1:1"]


@pytest.mark.parametrize("named", ["a@HEAD~1", "a+lease=10+slots=24", "a@head~1+lease=10+slots=24"])
def test_a_stack_with_other_options_is_not_driven_but_named(named: str) -> None:
    with pytest.raises(target.TargetError) as raised:
        target.resolve(None, named, lambda: STACKS)
    assert f"no stack of '{named}' is up, but a@HEAD~1+lease=10+slots=24 and b" in str(raised.value)
