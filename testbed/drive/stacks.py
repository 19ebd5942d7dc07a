"""Fresh stacks out of the runtimes, and the checks that they will be fresh."""

from __future__ import annotations

from collections.abc import Iterable

from testbed.drive.ports import Progress
from testbed.errors import TestbedError
from testbed.record.model import EXTERNAL
from testbed.stack import records as stacks
from testbed.stack import runtimes
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Meter, Runtime, silent
from testbed.stack.runtimes.external import ExternalRuntime
from testbed.stack.sides.resolve import Deployment
from testbed.stack.sides.side import title


class RuntimeStacks:
    """Starts and stops stacks, each in the runtime that it is for."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._runtimes: dict[str, Runtime] = {}
        self._ours: dict[str, Runtime] = {}
        self._external = ExternalRuntime()

    def up(self, deployment: Deployment) -> StackRecord:
        if deployment.is_external:
            side, declaration = deployment.side, deployment.declaration
            return self._external.up(side, declaration, self._progress.detail)
        runtime = self.runtime(deployment.spec.runtime)
        self._ours[deployment.design] = runtime
        try:
            return runtime.up(deployment.topology, deployment.spec, self._progress.detail)
        except TestbedError:
            del self._ours[deployment.design]
            raise

    def runtime(self, name: str) -> Runtime:
        """Return the runtime of that name, always the same one."""
        if name not in self._runtimes:
            self._runtimes[name] = runtimes.get(name)
        return self._runtimes[name]

    def meter(self, stack: StackRecord) -> Meter:
        if stack.runtime == EXTERNAL:
            return self._external.meter(stack)
        return self.runtime(stack.runtime).meter(stack)

    def now(self, design: str) -> StackRecord:
        """Return the stack as recorded now. Raises :class:`TestbedError` if it no longer exists."""
        record = stacks.load(design)
        if record is None:
            raise TestbedError(f"design {design} was stopped from elsewhere")
        return record

    def down(self, design: str) -> None:
        """Stop what is there of a stack that was started here; others are left alone."""
        if runtime := self._ours.get(design):
            runtime.down(design, silent)
            del self._ours[design]


def check_fresh(deployments: Iterable[Deployment]) -> None:
    """Raise :class:`TestbedError` if a stack is up of a design that is to be started.

    A stack that is up is not fresh, and stopping it would be no business of a comparison.
    """
    ours = (each.design for each in deployments if not each.is_external)
    for name in dict.fromkeys(ours):
        record = stacks.load(name)
        if record is not None and record.alive():
            raise TestbedError(
                f"{title(name)} has a stack already; a trial needs a fresh one",
                f"stop it first: testbed down {name}",
            )


def others_up(names: Iterable[str]) -> list[str]:
    """Name the designs that are up although they take no part; they share the machine."""
    ours = set(names)
    return [record.design for record in stacks.find() if record.design not in ours]
