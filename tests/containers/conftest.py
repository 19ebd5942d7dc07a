"""Fixtures of the tests that need a container engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.stack import designs, runtimes
from testbed.stack import records as stacks
from testbed.stack.manifests.compose import PROJECT_VARIABLE
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Runtime
from testbed.stack.runtimes.controls import Controls
from tests.support.engine import leaving_nothing
from tests.support.stacks import ROOT, TOPOLOGIES, shifted

Up = Callable[..., StackRecord]
Copies = TypeVar("Copies", bound="Whole")
PROJECT = f"taskqueue-test-{os.getpid()}"


class Whole(Protocol):
    """Copies of a server of which each follows the primary once they are made whole."""

    def make_whole(self) -> None: ...


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State and project of their own, beside stacks that somebody uses."""
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv(PROJECT_VARIABLE, PROJECT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.fixture
def runtime() -> Runtime:
    return runtimes.get("compose")


@pytest.fixture
def up(home: Path, runtime: Runtime) -> Iterator[Up]:
    """Starts a design in containers, on free ports; nothing of it is left.

    With ``place=None`` it has the ports of its topology, which somebody else may have taken.
    """

    def start(
        design: str, place: Callable[[Topology], Topology] | None = shifted, **spec: Any
    ) -> StackRecord:
        topology = TOPOLOGIES[design]
        return runtime.up(
            place(topology) if place else topology, StackSpec(**spec), runtimes.silent
        )

    with leaving_nothing(PROJECT):
        yield start
        for design in TOPOLOGIES:
            runtime.down(design, runtimes.silent)


@contextmanager
def running_copies(
    runtime: Runtime,
    patch: pytest.MonkeyPatch,
    topology: Topology,
    made: Callable[[Controls, Topology], Copies],
) -> Iterator[Copies]:
    """Run the copies of a server, whole, as a stack of their own that is no design."""
    patch.setitem(designs.DESIGNS, topology.design, "a module that nobody loads here")
    topology = shifted(topology)
    with leaving_nothing(PROJECT):
        copies = made(
            runtime.controls(runtime.up(topology, StackSpec(), runtimes.silent)), topology
        )
        copies.make_whole()
        yield copies
        runtime.down(topology.design, runtimes.silent)
