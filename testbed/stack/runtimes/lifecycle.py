"""What bringing a stack up and down has in common, wherever its processes run."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.errors import StateError, TestbedError
from testbed.stack import lock, ports, prepare
from testbed.stack import records as stacks
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes import Progress, Stopped, health, secret
from testbed.stack.runtimes.logs import log_tail
from testbed.stack.runtimes.order import stop_grace

# Starts the processes of a stack; returns its record with them.
Start = Callable[[StackRecord, Progress], StackRecord]


@dataclass(frozen=True)
class StackLifecycle(ABC):
    """The ``up`` and ``down`` of a :class:`testbed.stack.runtimes.Runtime`. Times are in seconds.

    A process has its own ``stop_grace`` and ``margin`` on top to stop before it is killed. ``NAME``
    is the runtime's, ``STRAYS`` what an earlier run may have left.
    """

    NAME: ClassVar[str]
    STRAYS: ClassVar[str]

    start_timeout: float
    margin: float
    health_timeout: float
    lock_wait: float

    def require(self, topology: Topology, spec: StackSpec) -> None:
        self._prepare(topology, spec)

    def up(self, topology: Topology, spec: StackSpec, progress: Progress) -> StackRecord:
        start = self._prepare(topology, spec)
        topology = prepare.scaled(topology, spec)
        with lock.held(topology.design, "up"):
            self._make_way(topology.design, progress)
            with ports.reserved(prepare.port_uses(topology), progress):
                return self._bring_up(start, self._blank(topology, spec), progress)

    def down(self, design: str, progress: Progress) -> Stopped:
        with lock.held(design, "down", self.lock_wait):
            return self._clean(design, progress)

    def _bring_up(self, start: Start, record: StackRecord, progress: Progress) -> StackRecord:
        try:
            # Written before each start and after it: a killed `up` leaves a trace at all times.
            stacks.save(record)
            secret.make(stacks.secret_file(record.design))
            record = start(record, progress)
            self._wait_until_ready(record, progress)
            record = dataclasses.replace(record, ready=True)
            stacks.save(record)
            self._announce(record)
        except BaseException:
            progress("stopping what was started")
            self._clean(record.design, progress)
            raise
        return record

    @abstractmethod
    def _prepare(self, topology: Topology, spec: StackSpec) -> Start:
        """Raise :class:`TestbedError` for what cannot be had here; return how it is started."""

    def _blank(self, topology: Topology, spec: StackSpec) -> StackRecord:
        """Return the record of a stack of which nothing has been started yet."""
        return prepare.blank(self.NAME, topology, spec)

    @abstractmethod
    def _watcher(self, record: StackRecord) -> Callable[[], None]:
        """Return what raises :class:`TestbedError` once a process has ended during the start."""

    @abstractmethod
    def _late_error(self, record: StackRecord, late: Sequence[str]) -> TestbedError:
        """Return the error for processes that do not serve in time."""

    def _announce(self, record: StackRecord) -> None:  # noqa: B027  # what not every runtime does
        """Make a stack that is ready known to who is interested."""

    def _require_no_others(self, design: str) -> None:  # noqa: B027  # what not every runtime does
        """Raise :class:`TestbedError` if the design runs where this runtime may not stop it."""

    @abstractmethod
    def _clean(self, design: str, progress: Progress) -> Stopped:
        """Stop all of a design and remove its state file. Holds the lock already."""

    def _make_way(self, design: str, progress: Progress) -> None:
        """Clean up what an earlier run left; raise :class:`TestbedError` if the stack is up."""
        try:
            record = stacks.load(design)
        except StateError:
            record = None
        if record and record.ready and (alive := record.alive()):
            dead = [each.name for each in record.processes if each not in alive]
            but = f", but without {', '.join(dead)}, which died" if dead else ""
            raise TestbedError(
                f"design {design} is already up at {', '.join(record.endpoints)}{but}",
                f"run `testbed down {design}` first for a fresh stack; "
                "`testbed status` shows this one",
            )
        self._require_no_others(design)
        if not (stopped := self._clean(design, progress)).nothing:
            progress(f"cleaned up after an earlier run: {stopped.notice or self.STRAYS}")

    def _wait_until_ready(self, record: StackRecord, progress: Progress) -> None:
        serving: list[str] = []

        def ready(name: str) -> None:
            serving.append(name)
            progress(f"{name} serves ({len(serving)} of {len(record.processes)})")

        servers = {each.name: health.Server.of(each) for each in record.processes}
        watch = self._watcher(record)
        if late := health.wait_until_serving(servers, self.start_timeout, watch, ready):
            raise self._late_error(record, late)

    def _grace(self, record: StackRecord | None) -> float:
        """Return the seconds that a process has to stop before it is killed."""
        return stop_grace(record) + self.margin


def ended_during_start(process: ProcessRecord, how: str) -> TestbedError:
    """Return the error for a process that ended, with the end of its log."""
    return TestbedError(
        f"{process.name} ended during start ({how}). The end of {process.log}:\n"
        f"{log_tail(process.log)}",
        "the rest was stopped; fix the cause, then try again",
    )
