"""Fresh stacks out of a runtime, and the checks that they will be fresh."""

from __future__ import annotations

from collections.abc import Iterable

from testbed.drive.ports import Progress
from testbed.errors import TestbedError
from testbed.stack import designs
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Meter, Runtime, silent
from testbed.stack.spec import StackSpec


class RuntimeStacks:
    """Starts and stops stacks of known designs in one runtime."""

    def __init__(self, runtime: Runtime, progress: Progress) -> None:
        self._runtime = runtime
        self._progress = progress
        self._ours: set[str] = set()

    def up(self, design: str, spec: StackSpec) -> StackRecord:
        self._ours.add(design)
        try:
            return self._runtime.up(designs.load(design), spec, self._progress.detail)
        except TestbedError:
            self._ours.remove(design)
            raise

    def meter(self, stack: StackRecord) -> Meter:
        return self._runtime.meter(stack)

    def now(self, design: str) -> StackRecord:
        """Return the stack as recorded now. Raises :class:`TestbedError` if it no longer exists."""
        record = stacks.load(design)
        if record is None:
            raise TestbedError(f"design {design} was stopped from elsewhere")
        return record

    def down(self, design: str) -> None:
        """Stop what is there of a stack that was started here; others are left alone."""
        if design in self._ours:
            self._runtime.down(design, silent)
            self._ours.remove(design)


def check_fresh(names: Iterable[str], spec: StackSpec) -> None:
    """Raise :class:`TestbedError` if a stack is up, or its slots cannot be shared out.

    A stack that is up is not fresh, and stopping it would be no business of a comparison.
    """
    for name in dict.fromkeys(names):
        spec.scaled(designs.load(name))
        record = stacks.load(name)
        if record is not None and record.alive():
            raise TestbedError(
                f"design {name.upper()} has a stack already; a trial needs a fresh one",
                f"stop it first: testbed down {name}",
            )


def others_up(names: Iterable[str]) -> list[str]:
    """Name the designs that are up although they take no part; they share the machine."""
    return [record.design for record in stacks.find() if record.design not in set(names)]
