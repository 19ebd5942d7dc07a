"""The stacks that are up, as their state files describe them.

``<root>/.testbed/<design>/`` holds all that a running stack leaves on disk: ``stack.json``,
written by the runtime that started it, ``private/secret``, ``logs/<process>.log``, and the files of
a local process that keeps some in ``data/<process>/``. Whoever needs
the endpoints of a stack calls :func:`find`. Little more than the standard library and psutil is
imported, so that a load generator can do so at no cost.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from common.process_spec import GRPC, STOP_SIGNAL, Ready
from common.topology import LINKS
from testbed import CHECKOUT
from testbed.errors import StateError

HOME_VARIABLE = "TESTBED_HOME"
FORMAT = 1
# Below the project root.
STATE = ".testbed"
# What bears it was started from here: inherited by every descendant of a process, so that none is
# missed, a label of a container, and nothing else is ever ended.
MARKER = "TESTBED_STACK"
# The system derives the time of creation from that of the boot, which moves as the clock is set.
_CLOCK_STEP = 2.0
_CONNECT_TIMEOUT = 1.0


@dataclass(frozen=True)
class ProcessRecord:
    """A process of a stack. ``create_time`` (Unix seconds) separates it from later ones of its pid.

    ``port`` is where it is called, 0 if nowhere, ``ports`` others by name, and ``ready`` says how
    to see that it serves. ``stop_signal`` asks it to stop. ``service`` names what a server is that
    is not ours, if the testbed knows such ones. ``log`` is the path of its output, ``calls`` names
    its peers. ``container`` is the id of the container that it runs in; its pid is
    then of the engine's host. ``module``, or the ``command`` of one that is not ours, and
    ``environment``, what is added to the surroundings, start another one like it: with the
    interpreter ``python`` and the code in ``tree``, those of this testbed if they are empty.
    """

    name: str
    pid: int
    create_time: float
    port: int
    log: str
    calls: tuple[str, ...] = ()
    container: str = ""
    module: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    command: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict, hash=False)
    ready: Ready = field(default_factory=Ready)
    stop_signal: str = STOP_SIGNAL
    service: str = ""
    tree: str = ""
    python: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is a module of ours, which has settings, health and links."""
        return not self.command

    def process(self) -> psutil.Process | None:
        """Return the running process, or ``None`` if it has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < _CLOCK_STEP
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            # Whatever another user runs under this pid, it was not started from here.
            return None

    def is_alive(self) -> bool:
        """Say whether the process runs; another one with its pid does not count.

        Of one in a container it is asked whether its port is open, which needs no engine. One that
        has no port is looked for among the processes of this machine.
        """
        by_port = self.container and self.port
        return _is_open(self.port) if by_port else self.process() is not None


@dataclass(frozen=True)
class ProcessBudget:
    """What one process may use: CPU in cores, and bytes of memory; ``None`` is without limit."""

    cpus: float | None = None
    memory_bytes: int | None = None

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return self.cpus is not None or self.memory_bytes is not None


@dataclass(frozen=True)
class StackRecord:
    """A stack: ``endpoints`` are ``host:port`` for clients, ``metrics`` by process name.

    A process without metrics is not in ``metrics``. ``slots`` is the total of the stack, 0 if that
    is not known, ``settings`` what differs from the defaults, ``started``
    the time in UTC (ISO 8601). ``ready`` is false until every process has answered. ``budget`` is
    what each process was given, ``None`` if none has a limit, as with local processes. ``clock``
    says whether the wall clock of its processes can be set. ``side`` is what was asked for, as it
    is written: the design, with its options and its revision. ``facts`` are what a declaration says
    of the stack, by name, beside what its processes say themselves. ``revision`` is the commit
    whose code its processes run, empty for that of this checkout.
    """

    design: str
    runtime: str
    endpoints: tuple[str, ...]
    metrics: Mapping[str, str]
    processes: tuple[ProcessRecord, ...]
    slots: int
    settings: Mapping[str, str]
    started: str
    ready: bool = field(default=False)
    budget: ProcessBudget | None = field(default=None)
    clock: bool = field(default=False)
    side: str = field(default="")
    facts: Mapping[str, str] = field(default_factory=dict)
    revision: str = field(default="")

    @classmethod
    def of_one_process(cls, name: str, pid: int, port: int, log: str = "") -> StackRecord:
        """Describe a server of one process, for what is done to stacks to be done to it.

        Raises ``psutil.Error`` if it does not run.
        """
        started = psutil.Process(pid).create_time()
        return cls(
            design=name,
            runtime=name,
            endpoints=(f"127.0.0.1:{port}",),
            metrics={},
            processes=(ProcessRecord(name, pid, started, port, log),),
            slots=0,
            settings={},
            started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            side=name,
        )

    @property
    def capacity(self) -> str:
        """Say how many slots there are."""
        return f"{self.slots} slots" if self.slots else "slots unknown"

    @property
    def measured(self) -> tuple[ProcessRecord, ...]:
        """Return the processes of the design itself, without the proxy of its links."""
        return tuple(each for each in self.processes if each.name != LINKS)

    @property
    def links(self) -> ProcessRecord | None:
        """Return the proxy through which the stack calls itself, ``None`` if it has none."""
        return next((each for each in self.processes if each.name == LINKS), None)

    def alive(self) -> tuple[ProcessRecord, ...]:
        """Return the processes that run."""
        return tuple(process for process in self.processes if process.is_alive())


def marker(design: str) -> str:
    """Return the value of the marker of a design's processes and containers."""
    return f"{project_root()}:{design}"


def project_root() -> Path:
    """Return the directory below which all state lies.

    ``TESTBED_HOME``, else the nearest directory from the working directory upwards that holds
    ``pyproject.toml``, else the one that holds this package.
    """
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home).resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file():
            return folder
    return CHECKOUT


def folder_of(design: str) -> Path:
    """Return the directory of a design's state; it need not exist."""
    return project_root() / STATE / design


def state_file(design: str) -> Path:
    """Return the path of a design's state file; it need not exist."""
    return folder_of(design) / "stack.json"


def secret_file(design: str) -> Path:
    """Return the path of what the processes of a design know each other by; it need not exist."""
    return folder_of(design) / "private" / "secret"


def log_file(design: str, process: str) -> Path:
    """Return the path to which every runtime writes the output of a process."""
    return folder_of(design) / "logs" / f"{process}.log"


def data_folder(design: str, process: str = "") -> Path:
    """Return the directory of the files of a local process, of all of them if none is named.

    It is made by ``up`` and removed by ``down``, and stays while a process is started again.
    """
    return folder_of(design) / "data" / process


def recorded() -> list[str]:
    """Name the designs that have a state file, whatever is in it."""
    return sorted(path.parent.name for path in folder_of("x").parent.glob("*/stack.json"))


def find(design: str | None = None) -> list[StackRecord]:
    """Return the stacks that are up: all, or that of one design.

    Up is a stack that became ready and of which a process is alive. Raises :class:`StateError` if
    a state file is damaged.
    """
    names = recorded() if design is None else [design]
    records = [load(name) for name in names]
    return [record for record in records if record and record.ready and record.alive()]


def load(design: str) -> StackRecord | None:
    """Read a design's state file; ``None`` if there is none.

    Raises :class:`StateError` if it is damaged or of another format.
    """
    path = state_file(design)
    try:
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(
            f"the state file {path} is damaged: {type(error).__name__}: {error}",
            f"`testbed down {design}` ends what is left of the stack and removes the file",
        ) from error


def save(record: StackRecord) -> None:
    """Write a stack's state file in one step: a reader sees the old or the new one, whole."""
    path = state_file(record.design)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix="stack-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, **asdict(record)}, file, indent=2)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def forget(design: str) -> None:
    """Remove a design's state file, its secret, the files of its processes, and leftovers.

    Such are what an interrupted :func:`save` has left.
    """
    folder = folder_of(design)
    shutil.rmtree(data_folder(design), ignore_errors=True)
    for path in (state_file(design), secret_file(design), *folder.glob("stack-*.tmp")):
        path.unlink(missing_ok=True)


def _parse(data: dict[str, Any]) -> StackRecord:
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']!r}, {FORMAT} is expected")
    return StackRecord(
        design=str(data["design"]),
        runtime=str(data["runtime"]),
        endpoints=tuple(str(each) for each in data["endpoints"]),
        metrics={str(name): str(address) for name, address in data["metrics"].items()},
        processes=tuple(parse_process(each) for each in data["processes"]),
        slots=int(data["slots"]),
        settings={str(key): str(value) for key, value in data["settings"].items()},
        started=str(data["started"]),
        ready=bool(data["ready"]),
        budget=_parse_budget(data.get("budget")),
        clock=bool(data.get("clock")),
        side=str(data.get("side", data["design"])),
        facts={str(name): str(text) for name, text in data.get("facts", {}).items()},
        revision=str(data.get("revision", "")),
    )


def _parse_budget(data: dict[str, Any] | None) -> ProcessBudget | None:
    """Read a budget; files from before there were any have none."""
    if data is None:
        return None
    cpus, memory = data["cpus"], data["memory_bytes"]
    return ProcessBudget(
        None if cpus is None else float(cpus), None if memory is None else int(memory)
    )


def parse_process(data: dict[str, Any]) -> ProcessRecord:
    """Read a process as ``asdict`` writes it. Raises what damaged data does raise."""
    return ProcessRecord(
        name=str(data["name"]),
        pid=int(data["pid"]),
        create_time=float(data["create_time"]),
        port=int(data["port"]),
        log=str(data["log"]),
        calls=tuple(str(each) for each in data["calls"]),
        container=str(data.get("container", "")),
        module=str(data.get("module", "")),
        environment={str(key): str(text) for key, text in data.get("environment", {}).items()},
        command=tuple(str(each) for each in data.get("command", ())),
        ports={str(use): int(port) for use, port in data.get("ports", {}).items()},
        ready=_parse_ready(data.get("ready", {})),
        stop_signal=str(data.get("stop_signal", STOP_SIGNAL)),
        service=str(data.get("service", "")),
        tree=str(data.get("tree", "")),
        python=str(data.get("python", "")),
    )


def _parse_ready(data: dict[str, Any]) -> Ready:
    """Read how a process is asked; one of a file from before that could be said has gRPC health."""
    return Ready(
        str(data.get("how", GRPC)),
        str(data.get("path", "/")),
        tuple(str(each) for each in data.get("command", ())),
    )


def _is_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_TIMEOUT):
            return True
    except OSError:
        return False
