"""What one process of a design is: a module of ours, or any other program.

Texts of a process that is not ours may have placeholders, which are filled once it is known where
it runs: ``{name}``, ``{host}`` to listen on, ``{port}``, ``{address}`` with the ``host:port`` where
others reach it, ``{metrics_port}``, ``{admin_port}`` for the port ``admin`` of
:attr:`ProcessSpec.ports`, ``{slots}`` it has of the stack's, ``{tree}`` with the code of the
project, ``{data}`` for its own files, and the ``host:port`` of each of its peers under the name of
that, such as ``{redis}``. A brace is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

# How to see that a process serves.
GRPC, TCP, HTTP, COMMAND = "grpc", "tcp", "http", "command"
# What a process holds of what accepted jobs need. Only its memory is lost with it.
NOTHING, MEMORY, DISK = "nothing", "memory", "disk"
METRICS_PATH = "/metrics"
STOP_SIGNAL = "SIGTERM"
# Servers that the testbed knows, whatever their processes are called.
REDIS, POSTGRES, SENTINEL = "redis", "postgres", "sentinel"
# A Redis that keeps copies alone.
REDIS_CACHE = "redis-cache"
_DATA = "{data}"


@dataclass(frozen=True)
class Ready:
    """How to see that a process serves: ``how`` it is asked, at its port.

    :data:`GRPC` asks its health service, :data:`TCP` connects, :data:`HTTP` wants a status below
    400 at ``path``, and :data:`COMMAND` that ``command`` ends with 0 where the process runs.
    """

    how: str = GRPC
    path: str = "/"
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.how not in {GRPC, TCP, HTTP, COMMAND}:
            raise ValueError(f"there is no way {self.how!r} to see that a process serves")
        if (self.how == COMMAND) != bool(self.command):
            raise ValueError(f"a command is for {COMMAND!r} alone, which needs one")


@dataclass(frozen=True)
class Image:
    """What a process that is not ours runs from in containers: an official image, or its own.

    One of its own is built from ``dockerfile``, a path in the project, with the build arguments
    named in ``arguments`` that the environment gives. ``command`` takes the place of that of local
    processes, where it is another. Files are kept in ``data``.
    """

    name: str
    dockerfile: str = ""
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    data: str = "/data"


@dataclass(frozen=True)
class ProcessSpec:
    """One process of a design.

    One of ours is a ``module``, which ``python -m`` starts; any other is a ``command``, with an
    ``environment`` of its own and an ``image`` for containers. ``needs`` says of each program, and
    of each path, that has to be on the machine what brings it.

    ``service`` names what a server is that is not ours, if the testbed knows such ones: faults of
    its own, and what it says of itself, go by that name.

    ``port`` is where it is called, and ``metrics_port`` serves Prometheus at ``metrics_path``; 0 is
    none. ``ports`` are others by name. ``ready`` says how to see that it serves, and
    ``stop_signal`` is what asks it to stop. ``peers`` are the names of the processes that it calls.

    ``cluster`` names what it keeps a copy of together with others, one of which is the primary at a
    time. One that ``has_folder`` keeps files although it holds nothing that accepted jobs need.

    ``settings`` of one of ours are its own where the stack says nothing else.

    ``slot_share`` is its part of the stack's execution slots and how many fetches for them it keeps
    under way, 0 for a process that runs no jobs. Of one that is ``scalable`` there may be several,
    see :meth:`common.topology.Topology.scaled`. It ``holds`` what accepted jobs need in its memory,
    whose loss is theirs, on disk, or nothing. That is of the jobs whose ids name its ``home``, or
    of every job if it is no home.
    """

    name: str
    module: str = ""
    port: int = 0
    metrics_port: int = 0
    peers: tuple[str, ...] = ()
    slot_share: int = 0
    scalable: bool = False
    holds: str = NOTHING
    home: int | None = None
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    needs: Mapping[str, str] = field(default_factory=dict, hash=False)
    image: Image | None = None
    ports: Mapping[str, int] = field(default_factory=dict, hash=False)
    ready: Ready = field(default_factory=Ready)
    metrics_path: str = METRICS_PATH
    stop_signal: str = STOP_SIGNAL
    service: str = ""
    cluster: str = ""
    has_folder: bool = False
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if bool(self.module) == bool(self.command):
            raise ValueError(f"{self.name} is started by a module of ours or by a command")
        if self.holds not in {NOTHING, MEMORY, DISK}:
            raise ValueError(f"{self.name} holds {self.holds!r}: {NOTHING}, {MEMORY} or {DISK}")
        if not self.port and self.ready.how != COMMAND:
            raise ValueError(f"{self.name} has no port: only a command can say that it serves")

    @property
    def is_ours(self) -> bool:
        """Whether it is a module of ours, which has settings, metrics, health and links."""
        return bool(self.module)

    @property
    def keeps_files(self) -> bool:
        """Whether it has a data folder of its own, also once its texts are filled."""
        texts = (*self.command, *self.environment.values())
        return self.holds == DISK or self.has_folder or any(_DATA in each for each in texts)

    def every_port(self) -> dict[str, int]:
        """Return all its ports by what they are for."""
        served = "gRPC" if self.ready.how == GRPC else "port"
        found = {served: self.port, "metrics": self.metrics_port, **self.ports}
        return {use: port for use, port in found.items() if port}

    def in_container(self) -> ProcessSpec:
        """Return the process as it is started in a container."""
        image = self.image
        return replace(self, command=image.command) if image and image.command else self

    def moved(self, by: int) -> ProcessSpec:
        """Return the process with all its ports moved."""
        return replace(
            self,
            port=self.port and self.port + by,
            metrics_port=self.metrics_port and self.metrics_port + by,
            ports={use: port + by for use, port in self.ports.items()},
        )

    def filled(self, values: Mapping[str, str]) -> ProcessSpec:
        """Return the process with the placeholders of its texts filled.

        Raises ``ValueError`` for one that ``values`` does not have, naming those that it has.
        """

        def fill(text: str) -> str:
            try:
                return text.format_map(values)
            except (KeyError, IndexError, ValueError, AttributeError) as error:
                known = ", ".join(f"{{{each}}}" for each in sorted(values))
                raise ValueError(
                    f"{self.name}: {text!r} cannot be filled: {type(error).__name__} {error}; "
                    f"there is {known}"
                ) from error

        return replace(
            self,
            command=tuple(map(fill, self.command)),
            environment={name: fill(text) for name, text in self.environment.items()},
            needs={fill(what): brings for what, brings in self.needs.items()},
            ready=replace(self.ready, command=tuple(map(fill, self.ready.command))),
            has_folder=self.keeps_files,
        )
