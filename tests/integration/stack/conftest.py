"""A root of its own for each test, and nothing left running behind it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.topology import Topology
from testbed.stack import designs, environment
from testbed.stack import records as stacks
from testbed.stack.runtimes.local import LocalRuntime, processes
from tests.integration.stack.fakes import PORTS, ROOT, make_topology
from tests.support import parallel
from tests.support.ports import free_ports, is_free


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # How the fake processes are to behave passes by its name, as nothing else does.
    monkeypatch.setenv(environment.NAMED_VARIABLE, "FAKE_BEHAVIOUR")
    yield tmp_path
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    processes.end(processes.strays("fake"), 0)


@pytest.fixture
def topology() -> Topology:
    return make_topology(free_ports(PORTS))


@pytest.fixture
def known(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the fake design known to the registry."""
    ports = [port for each in topology.processes for port in (each.port, each.metrics_port)]
    monkeypatch.setenv("FAKE_PORTS", ",".join(map(str, ports)))
    module = "tests.integration.stack.fake_topology"
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(designs.DESIGNS, "fake", module)


@pytest.fixture
def runtime() -> LocalRuntime:
    return LocalRuntime(margin=10.0, lock_wait=0.0)


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set how the fake processes behave: ``behave(second="crash")``."""

    def set_behaviour(**behaviours: str) -> None:
        behaviour = ",".join(f"{name}={what}" for name, what in behaviours.items())
        monkeypatch.setenv("FAKE_BEHAVIOUR", behaviour)

    return set_behaviour


@pytest.fixture
def free_block() -> int:
    """The first of a few ports in a row that are free, as is that of the metrics of links."""
    for first in range(23_000 + 1_500 * parallel.worker(), 30_000, 10):
        if all(is_free(port) for port in (*range(first, first + 5), first + 1000)):
            return first
    raise AssertionError("no ports are free")
