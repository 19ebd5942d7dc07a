"""Where stacks run. A runtime is one module here and one line in :data:`RUNTIMES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from common.topology import Topology
from testbed.errors import TestbedError
from testbed.spec import StackSpec
from testbed.stacks import ProcessRecord, StackRecord

# Name of a runtime -> module with a function ``make() -> Runtime``.
RUNTIMES = {"local": "testbed.runtimes.local"}
TITLES = {"local": "as local processes", "compose": "in containers"}
DEFAULT = "local"
# Not a runtime: containers where an engine answers, plain processes where none does.
AUTO = "auto"

Progress = Callable[[str], None]


def silent(_text: str) -> None:
    """Be the :data:`Progress` of a caller that shows none."""


@dataclass(frozen=True)
class ProcessStatus:
    """How a process is: ``health`` is what its health service says, "dead" or "no answer".

    ``cpu_seconds`` (since its start) and ``memory_bytes`` (resident) include its descendants.
    """

    record: ProcessRecord
    metrics: str
    health: str
    uptime_seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0

    @property
    def healthy(self) -> bool:
        """Say whether the process serves."""
        return self.health == "SERVING"


@dataclass(frozen=True)
class Stopped:
    """What ``down`` did: processes that ended when asked, that were killed, and stray ones.

    ``notice`` says what was unusual about the state that was found; empty if nothing was.
    """

    design: str
    ended: tuple[str, ...] = ()
    killed: tuple[str, ...] = ()
    strays: int = 0
    notice: str = ""

    @property
    def nothing(self) -> bool:
        """Say whether there was nothing to do."""
        return not (self.ended or self.killed or self.strays or self.notice)


class Runtime(Protocol):
    """Starts and stops stacks.

    The output of each process goes to ``stacks.log_file``, the record to ``stacks.save``.
    """

    def up(self, topology: Topology, spec: StackSpec, progress: Progress) -> StackRecord:
        """Start a stack and return once all of it is ready.

        Raises :class:`TestbedError` if it is up already or cannot be started as ``spec`` says.
        Whatever goes wrong, an interrupt included, leaves nothing running.
        """

    def down(self, design: str, progress: Progress) -> Stopped:
        """Stop a stack, also one that is there only in part. None at all is no error."""

    def status(self, record: StackRecord) -> list[ProcessStatus]:
        """Look at each process of a stack, in the order of the record."""


def choose(name: str) -> str:
    """Return the name of a runtime: what :data:`AUTO` stands for on this machine, else ``name``."""
    if name != AUTO:
        return name
    for known, module in RUNTIMES.items():
        if known != DEFAULT and import_module(module).answers():
            return known
    return DEFAULT


def get(name: str = DEFAULT) -> Runtime:
    """Return the runtime of that name. Raises :class:`TestbedError` if there is none."""
    if name not in RUNTIMES:
        raise TestbedError(f"there is no runtime {name!r}", f"known: {', '.join(RUNTIMES)}")
    runtime: Runtime = import_module(RUNTIMES[name]).make()
    return runtime
