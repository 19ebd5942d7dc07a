"""A running design whose processes a test may kill, stop and start again.

The processes come from the topologies and listen on other ports than the default ones, so that
tests run beside a stack that somebody uses.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from common.config import environment_of
from common.rpc import connect
from common.rpc.metadata import CALLER, PROOF
from common.topology import ProcessSpec, Topology
from design_a.topology import TOPOLOGY as TOPOLOGY_A
from design_b.topology import TOPOLOGY as TOPOLOGY_B
from testbed.stack import prepare
from testbed.stack.runtimes import secret
from testbed.stack.sides.resolve import resolve
from tests.support import forks, parallel, services
from tests.support.client import Client
from tests.support.forks import ForkedProcess
from tests.support.paths import ROOT
from tests.support.ports import free_ports, is_free
from tests.support.waiting import eventually

TOPOLOGIES = {"a": TOPOLOGY_A, "b": TOPOLOGY_B}
SLOTS = 12
# Below the range from which the system gives ports to clients; each process that runs tests has a
# part of it. A stack takes ports up to 1,100 above its first.
_PART = 3_000
_FIRST = -30_000 + parallel.worker() % 4 * _PART
_OFFSETS = range(_FIRST, _FIRST + _PART - 1_200, 200)

# A process that has just started may have its port and yet, on a busy machine, no time to answer.
_NO_ANSWER = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class StartError(Exception):
    """A process did not come up; the message has the end of its log."""


class Stack:
    """The processes of one side, such as ``a+store=redis``. ``directory`` takes a log of each.

    ``mutant`` is a defect of ``tests/mutants`` that all of ours have; none by default.
    """

    def __init__(
        self,
        side: str,
        directory: Path,
        slots: int = SLOTS,
        mutant: str = "",
        **settings: object,
    ) -> None:
        resolved = resolve(side)
        self.side = side
        self.design = resolved.design
        self.slots = slots
        self.topology = shifted(resolved.topology)
        self._first = self.topology
        self._settings = {**resolved.spec.settings, **settings}
        self._mutant = mutant
        self._directory = directory
        self._secret = directory / f"{side}-private" / "secret"
        secret.make(self._secret)
        self._processes: dict[str, subprocess.Popen[bytes] | ForkedProcess] = {}
        self._clients: list[Client] = []

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Where clients call."""
        return tuple(self.topology.endpoints())

    @property
    def names(self) -> list[str]:
        """Names of the processes of the topology that are ours."""
        return [spec.name for spec in self.topology.processes if spec.is_ours]

    def address(self, name: str) -> str:
        """Where a process is called."""
        return f"127.0.0.1:{self.topology.process(name).port}"

    def client(self, *names: str) -> Client:
        """Return a client of the named processes, by default of all that clients call."""
        made = Client([self.address(name) for name in names] or self.endpoints)
        self._clients.append(made)
        return made

    def metrics_address(self, name: str) -> str:
        """Where a process exposes its metrics."""
        return f"127.0.0.1:{self.topology.process(name).metrics_port}"

    def metrics(self, name: str) -> str:
        """Return what a process exposes to Prometheus."""
        with urllib.request.urlopen(
            f"http://{self.metrics_address(name)}/metrics", timeout=10
        ) as response:
            return str(response.read().decode())

    def log(self, name: str) -> list[dict[str, Any]]:
        """Return the log of a process. Raises ``ValueError`` if a line is no JSON object."""
        lines = [json.loads(line) for line in self._log(name).read_text().splitlines()]
        if not all(isinstance(line, dict) for line in lines):
            raise ValueError(f"the log of {name} has a line that is no object")
        return lines

    def process(self, name: str) -> psutil.Process:
        """Return the handle of a process."""
        return psutil.Process(self._processes[name].pid)

    def claim(self, caller: str) -> tuple[tuple[str, str], ...]:
        """Return the metadata by which a process of the stack of that name calls another."""
        return ((CALLER, caller), (PROOF, self._secret.read_text().strip()))

    def add_process(self, name: str, like: str) -> None:
        """Add another process like one of the topology, on ports of its own, and start it."""
        spec = self.topology.process(like)
        port, metrics_port = free_ports(2)
        added = replace(spec, name=name, port=port, metrics_port=metrics_port)
        self.topology = replace(self.topology, processes=(*self.topology.processes, added))
        environment = self._environment(like) | environment_of(
            {
                "name": name,
                "listen": f"127.0.0.1:{port}",
                "metrics": f"127.0.0.1:{metrics_port}",
            }
        )
        self._spawn(added, environment)
        self.wait_until_serving(name)

    @contextmanager
    def servers(self) -> Iterator[None]:
        """Run what is not ours and keeps the state, with new data, until the end of the block."""
        levels = {
            name: str(value)
            for name, value in self._settings.items()
            if name in {"redis_fsync", "pg_sync"}
        }
        with ExitStack() as exits:
            folder = exits.enter_context(services.open_folder())
            for spec in self.topology.processes:
                if not spec.is_ours:
                    exits.enter_context(services.running(spec, folder, **levels))
            yield

    def start(self, *names: str) -> None:
        """Start the named processes of ours, by default all, and wait until they serve."""
        chosen = names or tuple(self.names)
        for name in chosen:
            self._spawn(self.topology.process(name), self._environment(name))
        for name in chosen:
            self.wait_until_serving(name)

    def kill(self, name: str) -> None:
        """End a process at once, as a crash would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def terminate(self, name: str) -> None:
        """Ask a process to stop gracefully."""
        self._processes[name].send_signal(signal.SIGTERM)

    def join(self, name: str, within: float = 30.0) -> int:
        """Wait until a process that was asked to stop has ended; returns its exit code."""
        code = self._processes[name].wait(within)
        del self._processes[name]
        return code

    def wait_until_serving(self, name: str, within: float = 30.0) -> None:
        """Wait until a process reports that it is healthy. Raises ``StartError`` if it ended."""
        eventually(lambda: self._serves(name), within=within, what=f"health of {name}")

    def wait_until_held(self, count: int, worker: str = "worker") -> None:
        """Wait until a worker has so many jobs, which are RUNNING from when they are handed out.

        What it never received runs again only once its lease has run out.
        """
        eventually(
            lambda: f"taskqueue_worker_slots_busy {count:.1f}" in self.metrics(worker),
            what=f"{count} jobs at {worker}",
        )

    def close(self) -> None:
        """End everything that still runs."""
        for client in self._clients:
            client.close()
        # Not gracefully: how that goes is for tests to ask for, not to wait for each time.
        for name in list(self._processes):
            self.kill(name)

    def _environment(self, name: str) -> dict[str, str]:
        # The shares of the topology, not of processes that were added later.
        given = {**self._settings, "secret_file": self._secret}
        return self._first.environment(name, self.slots, given)

    def _spawn(self, spec: ProcessSpec, environment: Mapping[str, str]) -> None:
        inherited = {key: value for key, value in os.environ.items() if "TASKQUEUE" not in key}
        environment = {**inherited, **environment}
        if self._mutant:
            self._processes[spec.name] = self._start_mutant(spec, environment)
        else:
            log = self._log(spec.name)
            self._processes[spec.name] = forks.parent().start(spec.module, environment, log)

    def _start_mutant(
        self, spec: ProcessSpec, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        # No copy of a process that has imported already what the defect changes.
        with self._log(spec.name).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.mutants", self._mutant, spec.module],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._directory / f"{self.side}-{name}.log"

    def _serves(self, name: str) -> bool:
        code = self._processes[name].poll()
        if code is not None:
            end = self._log(name).read_text()[-2000:]
            raise StartError(f"{name} ended with code {code}:\n{end}")
        return health_of(self.address(name)) == "SERVING"


@contextmanager
def running(
    side: str, directory: Path, slots: int = SLOTS, mutant: str = "", **settings: object
) -> Iterator[Stack]:
    """Run a side, or a mutant of it, from the start of the block to its end."""
    stack = Stack(side, directory, slots, mutant, **settings)
    with stack.servers():
        try:
            stack.start()
            yield stack
        finally:
            stack.close()


def health_of(address: str, service: str = "") -> str:
    """Return what a server reports about the health of a service; ``UNREACHABLE`` if nothing."""
    with connect.channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = stub.Check(request, timeout=5)
        except grpc.RpcError as error:
            if error.code() in _NO_ANSWER:
                return "UNREACHABLE"
            raise
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def shifted(topology: Topology) -> Topology:
    """Move a topology to ports that are free."""
    for offset in _OFFSETS:
        processes = tuple(spec.moved(offset) for spec in topology.processes)
        moved = replace(topology, processes=processes, links_port=topology.links_port + offset)
        has_links = topology.links_port and topology.calls_between_ours()
        largest = moved.linked() if has_links else moved
        if all(is_free(port) for port in prepare.port_uses(largest)):
            return moved
    raise StartError(f"no free ports for design {topology.design}")


DEFAULT_PORTS = frozenset(
    port
    for topology in TOPOLOGIES.values()
    for spec in topology.processes
    for port in (spec.port, spec.metrics_port)
)
