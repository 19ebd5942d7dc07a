"""Stopping a stack: whatever state it is in, nothing of it is left, and nothing else is touched."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.errors import TestbedError
from testbed.stack import lock
from testbed.stack import records as stacks
from testbed.stack.records import ProcessRecord
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime, processes
from testbed.stack.runtimes.order import waves
from tests.integration.stack.fake_process import DEAF, PARENT
from tests.support.waiting import eventually

Behave = Callable[..., None]


def test_down_ends_everything_keeps_the_logs_and_may_be_repeated(
    runtime: LocalRuntime, topology: Topology
) -> None:
    record = runtime.up(topology, StackSpec(2), silent)

    stopped = runtime.down("fake", silent)

    assert sorted(stopped.ended) == ["first", "second"]
    assert (stopped.killed, stopped.strays, stopped.notice) == ((), 0, "")
    assert record.alive() == ()
    assert stacks.load("fake") is None
    assert stacks.log_file("fake", "first").exists()
    assert runtime.down("fake", silent).nothing


def test_callers_stop_before_those_whom_they_call(
    runtime: LocalRuntime, topology: Topology
) -> None:
    runtime.up(topology, StackSpec(2), silent)
    lines: list[str] = []

    runtime.down("fake", lines.append)

    assert lines == ["stopping second", "stopping first"]


def test_processes_that_call_each_other_stop_together() -> None:
    records = [
        ProcessRecord(name, 1, 0.0, 1, "", calls)
        for name, calls in [("x", ("y",)), ("y", ("x",)), ("edge", ("x", "y")), ("self", ("self",))]
    ]

    order = [[each.name for each in wave] for wave in waves(records)]

    assert order == [["edge", "self"], ["x", "y"]]


def test_those_who_call_each_other_stop_before_others_that_they_call() -> None:
    records = [
        ProcessRecord(name, 1, 0.0, 1, "", calls)
        for name, calls in [
            *(("decides-1", ("decides-2",)), ("decides-2", ("decides-1",))),
            *(("copy-1", ("copy-2", "decides-1")), ("copy-2", ("copy-1", "decides-2"))),
            ("user", ("copy-1",)),
        ]
    ]

    order = [[each.name for each in wave] for wave in waves(records)]

    assert order == [["user"], ["copy-1", "copy-2"], ["decides-1", "decides-2"]]


def test_process_that_ignores_the_request_to_stop_is_killed(
    topology: Topology, behave: Behave
) -> None:
    behave(second=DEAF)
    impatient = LocalRuntime(margin=0.2)
    record = impatient.up(topology, StackSpec(2, settings={"stop_grace": "0.1"}), silent)

    stopped = impatient.down("fake", silent)

    assert "second" in stopped.killed
    assert record.alive() == ()


def test_child_that_outlives_its_parent_is_ended(
    runtime: LocalRuntime, topology: Topology, behave: Behave
) -> None:
    behave(first=PARENT)
    record = runtime.up(topology, StackSpec(2), silent)
    (child,) = psutil.Process(record.processes[0].pid).children()

    stopped = runtime.down("fake", silent)

    assert stopped.strays == 1
    eventually(lambda: not processes.strays("fake"), what="the end of the child")
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_processes_without_a_state_file_are_ended(
    runtime: LocalRuntime, topology: Topology
) -> None:
    record = runtime.up(topology, StackSpec(2), silent)
    stacks.forget("fake")

    stopped = runtime.down("fake", silent)

    assert stopped.strays == 2
    assert record.alive() == ()


def test_damaged_state_file_is_named_and_removed_with_its_processes(
    runtime: LocalRuntime, topology: Topology
) -> None:
    record = runtime.up(topology, StackSpec(2), silent)
    stacks.state_file("fake").write_text("[]")

    stopped = runtime.down("fake", silent)

    assert str(stacks.state_file("fake")) in stopped.notice
    assert record.alive() == ()
    assert not stacks.state_file("fake").exists()


def test_process_that_reuses_a_recorded_pid_is_not_touched(
    runtime: LocalRuntime, topology: Topology
) -> None:
    record = runtime.up(topology, StackSpec(2), silent)
    runtime.down("fake", silent)
    with bystander() as other:
        created = psutil.Process(other.pid).create_time() - 100
        reused = dataclasses.replace(record.processes[0], pid=other.pid, create_time=created)
        stacks.save(dataclasses.replace(record, processes=(reused,)))
        assert stacks.find("fake") == []

        stopped = runtime.down("fake", silent)

        assert stopped.ended == stopped.killed == ()
        assert "already dead: first" in stopped.notice
        assert other.poll() is None


def test_stack_of_another_root_is_not_touched(runtime: LocalRuntime) -> None:
    with bystander({stacks.MARKER: "/elsewhere:fake"}) as other:
        assert runtime.down("fake", silent).nothing
        assert other.poll() is None


def test_down_beside_another_command_says_which(runtime: LocalRuntime) -> None:
    with lock.held("fake", "up"), pytest.raises(TestbedError, match="`testbed up fake`, process"):
        runtime.down("fake", silent)


@contextmanager
def bystander(environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    sleeper = [sys.executable, "-c", "import signal; signal.pause()"]
    with subprocess.Popen(sleeper, env={**os.environ, **(environment or {})}) as process:
        try:
            yield process
        finally:
            process.kill()
