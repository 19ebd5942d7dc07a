"""Fresh stacks out of the runtimes, and the checks that they can be had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from testbed.drive.ports import Progress
from testbed.errors import TestbedError
from testbed.record.model import EXTERNAL
from testbed.stack import ports, prepare, runtimes
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Meter, Runtime, silent
from testbed.stack.runtimes.external import ExternalRuntime
from testbed.stack.sides.resolve import Deployment
from testbed.stack.sides.side import SideError, title


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


def require_startable(deployments: Iterable[Deployment]) -> None:
    """Raise :class:`SideError` for the first side that cannot be started here, before any is.

    That is for lack of what its processes need of this machine, or because a stack of its design is
    up: that one is not fresh, and stopping it would be no business of a comparison. A server that
    is there already has to serve.
    """
    # Cells of a plan that differ in their traffic alone have the same stacks.
    for each in {(str(each), each.spec): each for each in deployments}.values():
        try:
            _require_startable(each)
        except TestbedError as error:
            raise SideError(f"side {str(each)!r}: {error}", error.hint) from error


def _require_startable(deployment: Deployment) -> None:
    if deployment.is_external:
        ExternalRuntime().up(deployment.side, deployment.declaration, silent)
        return
    record = stacks.load(deployment.design)
    if record is not None and record.alive():
        raise TestbedError(
            f"{title(deployment.design)} has a stack already; a trial needs a fresh one",
            f"stop it first: testbed down {deployment.design}",
        )
    runtimes.get(deployment.spec.runtime).require(deployment.topology, deployment.spec)


@contextmanager
def ports_kept(deployments: Iterable[Deployment]) -> Iterator[None]:
    """Let no outgoing connection take a port of these stacks while the block lasts.

    The system keeps the port of an ended connection for a minute, for which a stack that comes up
    in turn with others would have to wait. Raises :class:`TestbedError` for a port that is taken.
    """
    uses: dict[int, str] = {}
    for each in deployments:
        uses |= prepare.port_uses(each.scaled)
    with ports.reserved(uses, silent):
        yield


def others_up(names: Iterable[str]) -> list[str]:
    """Name the designs that are up although they take no part; they share the machine."""
    ours = set(names)
    return [record.design for record in stacks.find() if record.design not in ours]
