"""Which stack is meant where one that was started is named."""

from __future__ import annotations

from testbed.errors import StateError, TestbedError
from testbed.stack import records as stacks
from testbed.stack.sides.side import Side


def design_of(name: str) -> str:
    """Return the design of a stack, named by that or by the side that it was started as.

    Raises :class:`TestbedError` if a stack of the design is up as another side.
    """
    side = Side.parse(name)
    if side.is_plain or not side.design:
        return side.design or name
    try:
        record = stacks.load(side.design)
    except StateError:
        # Whoever needs the record says so; `testbed down` does not.
        return side.design
    if record is not None and record.side != str(side):
        raise TestbedError(
            f"{side} is not up: the stack of design {side.design} is {record.side}",
            f"name it as that, or by its design alone: {side.design}",
        )
    return side.design
