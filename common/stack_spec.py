"""What a stack is to run with, whatever its design and wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.topology import Topology

DEFAULT_SLOTS = 12
DEFAULT_RUNTIME = "local"


@dataclass(frozen=True)
class Budget:
    """What all processes of a stack may use together: ``cpus`` in cores, ``memory_mib`` in MiB.

    Each process gets an equal part, so that two designs with as many processes are equal in each.
    """

    cpus: float = 3.0
    memory_mib: int = 3072


@dataclass(frozen=True)
class Source:
    """Whose code the processes of a stack run: that of a commit of this project.

    ``revision`` is the whole name of the commit, ``tree`` the folder with its files, ``python`` the
    interpreter with the packages that it needs. ``settings`` names the fields of its ``Settings``,
    which need not be those of today.
    """

    revision: str
    tree: str
    python: str
    settings: frozenset[str]


@dataclass(frozen=True)
class StackSpec:
    """How a stack is started. All numbers are totals over its processes, so designs can be equal.

    ``slots`` are the jobs that run at a time, in a design that shares them out. ``workers`` is the
    number of worker processes of a design that has workers of their own. ``budget`` needs a runtime
    that can hold processes to it; ``None`` leaves that to the runtime. ``settings`` are fields of
    ``common.config.Settings``. With ``links`` every call within the stack goes through a proxy that
    can lose, delay and repeat it; with ``clock`` the wall clock of each process can be set. Both
    are for injecting faults into a stack on purpose, and cost something. ``runtime`` says where it
    runs; ``side`` is what was asked for, as it is written, empty for the design as it is.
    ``source`` is whose code its processes run, ``None`` for that of this checkout as it is.
    """

    slots: int = DEFAULT_SLOTS
    workers: int = 1
    budget: Budget | None = None
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    links: bool = False
    clock: bool = False
    runtime: str = DEFAULT_RUNTIME
    side: str = ""
    source: Source | None = None

    def scaled(self, topology: Topology, one_host: bool = True) -> Topology:
        """Return the topology with that many workers, if it has any, and with links if so wanted.

        On ``one_host`` each worker has ports of its own. Raises ``ValueError`` if the slots cannot
        be shared out evenly.
        """
        scaled = topology.scaled(self.workers, one_host)
        scaled = scaled.linked() if self.links else scaled
        scaled.slots_of(scaled.processes[0].name, self.slots)
        return scaled
