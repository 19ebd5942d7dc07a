"""What injects faults into a stack that is up and heals them, whatever runs it."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from common.links.fault import LinkFault
from common.process_spec import GRPC
from testbed.errors import TestbedError
from testbed.stack import ports
from testbed.stack import records as stacks
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes.links import Links
from testbed.stack.runtimes.order import stop_grace


class Controls(Protocol):
    """Injects and heals faults of one stack. Times are in seconds.

    It needs nothing but the stack's record, so any process on the machine can have it. Each method
    returns once its effect is there. What heals may be asked for again: it says whether there was
    anything to heal. Raises :class:`TestbedError` for a name that the stack does not have, if the
    stack is down, and for what this runtime or this stack cannot do.
    """

    @property
    def record(self) -> StackRecord:
        """The stack as it is now; a process that was started again has a record of its own."""

    def kill(self, name: str) -> None:
        """End a process, and all that it has started, without asking (SIGKILL)."""

    def stop(self, name: str) -> None:
        """Ask a process to stop, by its own signal; killed if it has not ended in its grace."""

    def start(self, name: str) -> bool:
        """Start a process that has ended as it was started first; return once it serves."""

    def pause(self, name: str) -> None:
        """Stop a process from running on, with all that it has started."""

    def resume(self, name: str) -> bool:
        """Let a paused process run on."""

    def isolate(self, name: str) -> None:
        """Cut a process off from all others of the stack, in both directions."""

    def rejoin(self, name: str) -> bool:
        """Have a process that was isolated reached again, under the same name."""

    def fill_disk(self, name: str) -> None:
        """Have a process that is not ours write nothing more to any file."""

    def empty_disk(self, name: str) -> bool:
        """Let it write again; one that has ended has no need of it."""

    def is_disk_full(self, name: str) -> bool:
        """Say whether a process can write nothing to files."""

    def set_link(self, caller: str, callee: str, fault: LinkFault) -> None:
        """Set what happens to the calls of a link, in place of what was set before."""

    def clear_link(self, caller: str, callee: str) -> bool:
        """Have nothing more happen to the calls of a link."""

    def clear_links(self) -> int:
        """Have nothing more happen to the calls of any link; return of how many something did."""

    def set_clock(self, name: str, seconds: float) -> None:
        """Have a process read a wall clock that is ``seconds`` ahead of the true one, or behind.

        It jumps there; 0 is back to the truth. Its monotonic clock goes on as it did.
        """


class RecordedControls:
    """What the controls of every runtime have in common: the stack's record, and its links.

    A process has its own grace and ``margin`` on top to stop before it is killed.
    """

    def __init__(
        self, record: StackRecord, start_timeout: float, margin: float, lock_wait: float
    ) -> None:
        self._design = record.design
        self._runtime = record.runtime
        self._started = record.started
        self._start_timeout = start_timeout
        self._margin = margin
        self._lock_wait = lock_wait

    @property
    def record(self) -> StackRecord:
        record = stacks.load(self._design)
        if record is None or record.started != self._started or record.runtime != self._runtime:
            raise TestbedError(
                f"the stack of design {self._design} of {self._started} is down",
                "`testbed status` shows what is up",
            )
        return record

    def set_link(self, caller: str, callee: str, fault: LinkFault) -> None:
        self._links().set(caller, callee, fault)

    def clear_link(self, caller: str, callee: str) -> bool:
        return self._links().clear(caller, callee) > 0

    def clear_links(self) -> int:
        return self._links().clear() if self.record.links is not None else 0

    def _links(self) -> Links:
        return Links.of(self.record)

    def _grace(self) -> float:
        """Return the seconds that a process has to stop before it is killed."""
        return stop_grace(self.record) + self._margin

    def _require_ports(self, record: StackRecord, name: str) -> None:
        """Raise :class:`TestbedError` unless a process that has ended can have its ports again."""
        process = process_of(record, name)
        wanted = {"gRPC" if process.ready.how == GRPC else "port": process.port, **process.ports}
        if name in record.metrics:
            wanted["metrics"] = metrics_port(record.metrics[name])
        ports.require_free({port: f"{name}, {use}" for use, port in wanted.items() if port})

    def _save_restarted(self, record: StackRecord, new: ProcessRecord) -> None:
        """Save a record in which a process has been started again. Holds the lock already."""
        changed = tuple(new if each.name == new.name else each for each in record.processes)
        stacks.save(dataclasses.replace(record, processes=changed))


def metrics_port(address: str) -> int:
    """Return the port of where metrics are: ``host:port``, maybe with a path."""
    return int(address.partition("/")[0].rpartition(":")[2])


def process_of(record: StackRecord, name: str) -> ProcessRecord:
    """Return the record of a process. Raises :class:`TestbedError` with the names that there are.

    The proxy of the links is none of them: a fault of it would hit everything at once.
    """
    found = {each.name: each for each in record.measured}
    if name not in found:
        raise TestbedError(
            f"design {record.design} has no process {name!r}", f"processes: {', '.join(found)}"
        )
    return found[name]


def require_server(process: ProcessRecord, design: str) -> None:
    """Raise :class:`TestbedError` unless a process is a server that keeps something on disk."""
    if not process.service:
        raise TestbedError(
            f"{process.name} of design {design} keeps nothing on disk that a fault could fill",
            "it can be killed, stopped and paused",
        )
