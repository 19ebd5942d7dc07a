"""An ``up`` that is cut short."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.stack import records as stacks
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime, processes
from tests.integration.stack.fake_process import HANG
from tests.integration.stack.fakes import command
from tests.support.waiting import eventually

Behave = Callable[..., None]


@pytest.fixture
def hanging_up(topology: Topology, behave: Behave) -> Iterator[subprocess.Popen[str]]:
    """An ``up`` that has started all processes, one of which will never serve."""
    behave(second=HANG)
    process = command("up", "fake", "--runtime", "local", topology=topology)
    try:
        eventually(
            lambda: (record := stacks.load("fake")) and len(record.processes) == 2,
            within=60,
            what="the start of both processes",
        )
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_interrupted_up_leaves_nothing(
    hanging_up: subprocess.Popen[str], number: signal.Signals
) -> None:
    hanging_up.send_signal(number)
    _, output = hanging_up.communicate(timeout=30)

    assert hanging_up.returncode == 130
    assert "interrupted" in output
    assert processes.strays("fake") == []
    assert stacks.load("fake") is None


def test_down_ends_what_a_killed_up_has_left(
    hanging_up: subprocess.Popen[str], runtime: LocalRuntime
) -> None:
    hanging_up.kill()
    hanging_up.communicate(timeout=30)
    assert len(processes.strays("fake")) == 2
    assert stacks.find() == []

    stopped = runtime.down("fake", silent)

    assert len(stopped.ended) == 2
    assert stopped.notice == "its start had not been completed"
    assert processes.strays("fake") == []
    assert stacks.load("fake") is None


def test_up_cleans_what_a_killed_up_has_left(
    hanging_up: subprocess.Popen[str], topology: Topology, runtime: LocalRuntime, behave: Behave
) -> None:
    hanging_up.kill()
    hanging_up.communicate(timeout=30)
    behave()
    output: list[str] = []

    record = runtime.up(topology, StackSpec(2), output.append)

    assert "cleaned up after an earlier run: its start had not been completed" in output
    assert len(record.alive()) == len(processes.strays("fake")) == 2


def test_second_up_during_the_first_is_refused(
    hanging_up: subprocess.Popen[str], topology: Topology
) -> None:
    second = command("up", "fake", "--runtime", "local", topology=topology)
    _, output = second.communicate(timeout=30)
    hanging_up.send_signal(signal.SIGINT)
    hanging_up.communicate(timeout=30)

    assert second.returncode == 2
    assert f"`testbed up fake`, process {hanging_up.pid}" in output
