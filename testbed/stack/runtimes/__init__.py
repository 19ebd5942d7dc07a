"""Where stacks run. A runtime is one module here and one line in :data:`RUNTIMES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.errors import TestbedError
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes.controls import Controls

# Name of a runtime -> module with a function ``make() -> Runtime``.
RUNTIMES = {"local": "testbed.stack.runtimes.local", "compose": "testbed.stack.runtimes.compose"}
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

    One without a health service is SERVING if it answers. ``metrics`` is empty without any.
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


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since its start, descendants included, ended ones too.

    ``memory_bytes`` is what it holds now. The rest says how its CPU limit held it back, and is
    ``None`` where nobody keeps account of that: ``throttled_seconds`` (over all cores), ``periods``
    of the limit in which it ran and ``throttled_periods`` that were cut short.
    """

    cpu_seconds: float
    memory_bytes: int
    throttled_seconds: float | None = None
    periods: int | None = None
    throttled_periods: int | None = None


class Meter(Protocol):
    """Reads what the processes of a stack use. ``interval`` is how often that is worth its cost."""

    @property
    def interval(self) -> float:
        """Seconds from one reading to the next."""

    def read(self) -> Mapping[str, Usage | None]:
        """Return the use of each process by its name, ``None`` for one that has ended.

        Called by one thread at a time. Raises :class:`TestbedError` if it cannot be known.
        """


class Runtime(Protocol):
    """Starts and stops stacks.

    The output of each process goes to ``stacks.log_file``, the record to ``stacks.save``. The
    module of a runtime also has ``answers() -> bool``, which says whether it can be had here.
    """

    def require(self, topology: Topology, spec: StackSpec) -> None:
        """Raise :class:`TestbedError` if a stack cannot be started here as ``spec`` says."""

    def up(self, topology: Topology, spec: StackSpec, progress: Progress) -> StackRecord:
        """Start a stack and return once all of it is ready.

        Raises :class:`TestbedError` if it is up already or cannot be started as ``spec`` says.
        Whatever goes wrong, an interrupt included, leaves nothing running.
        """

    def down(self, design: str, progress: Progress) -> Stopped:
        """Stop a stack, also one that is there only in part. None at all is no error."""

    def status(self, record: StackRecord) -> list[ProcessStatus]:
        """Return how each process of a stack is, in the order of the record."""

    def save_logs(self, design: str) -> None:
        """Bring the log files of a stack up to date, where its processes do not write them."""

    def meter(self, record: StackRecord) -> Meter:
        """Return what reads the use of the processes of a stack that is up.

        A process that is started again is read on, and what it used before counts.
        """

    def controls(self, record: StackRecord) -> Controls:
        """Return what injects faults into a stack that is up and heals them."""


def choose(name: str) -> str:
    """Return the name of a runtime: what :data:`AUTO` stands for on this machine, else ``name``."""
    if name != AUTO:
        return name
    return next((each for each in reachable() if each != DEFAULT), DEFAULT)


def reachable() -> list[str]:
    """Name the runtimes that can be had on this machine, the default one first."""
    return [name for name, module in RUNTIMES.items() if import_module(module).answers()]


def get(name: str = DEFAULT) -> Runtime:
    """Return the runtime of that name. Raises :class:`TestbedError` if there is none."""
    if name not in RUNTIMES:
        raise TestbedError(f"there is no runtime {name!r}", f"known: {', '.join(RUNTIMES)}")
    runtime: Runtime = import_module(RUNTIMES[name]).make()
    return runtime
