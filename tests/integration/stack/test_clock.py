"""A wall clock of a process of its own, which jumps while the process reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.errors import TestbedError
from testbed.stack import records as stacks
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime, clock
from tests.support.waiting import eventually

# Says for each line that it reads what its clocks say.
READER = """
import json, sys, time
for _ in sys.stdin:
    print(json.dumps([time.time(), time.monotonic()]), flush=True)
"""
HOUR = 3600


class Reader:
    """A process that reads a clock which is set from here."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ahead(self) -> float:
        """By how many minutes its wall clock is ahead of the one here."""
        return round((self._read()[0] - time.time()) / 60)

    def monotonic(self) -> float:
        return self._read()[1]

    def _read(self) -> list[float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return list(json.loads(self._process.stdout.readline()))


@contextmanager
def reader(name: str) -> Iterator[Reader]:
    with subprocess.Popen(
        [sys.executable, "-c", READER],
        env={**os.environ, **clock.environment("fake", name)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Reader(process)
        finally:
            process.kill()
            process.wait()
            clock.tidy(process.pid)


@pytest.mark.needs("libfaketime")
def test_wall_clock_jumps_there_and_back_and_the_monotonic_one_goes_on() -> None:
    with reader("one") as one, reader("other") as other:
        assert (one.ahead(), other.ahead()) == (0, 0)
        before = one.monotonic()

        clock.set_offset("fake", "one", HOUR)
        eventually(one.ahead, lambda minutes: minutes == 60, what="the jump ahead")
        clock.set_offset("fake", "one", -HOUR)
        eventually(one.ahead, lambda minutes: minutes == -60, what="the jump back")

        assert other.ahead() == 0, "the clock of one process alone"
        assert 0 <= one.monotonic() - before < HOUR
        clock.set_offset("fake", "one", 0)
        eventually(one.ahead, lambda minutes: minutes == 0, what="the true time")


@pytest.mark.needs("libfaketime")
def test_clock_is_set_through_the_controls_and_outlives_no_stack(
    runtime: LocalRuntime, topology: Topology
) -> None:
    record = runtime.up(topology, StackSpec(2, clock=True), silent)
    assert record.clock
    assert all(str(clock.find()) in each.environment["LD_PRELOAD"] for each in record.processes)
    controls = runtime.controls(record)

    controls.set_clock("first", HOUR)

    assert (clock.offset("fake", "first"), clock.offset("fake", "second")) == (HOUR, 0)
    controls.kill("first")
    controls.start("first")
    assert clock.offset("fake", "first") == HOUR, "a process that dies does not set the clock"
    pids = [each.pid for each in (*record.processes, *controls.record.processes)]
    runtime.down("fake", silent)
    left = [path.name for path in Path("/dev/shm").glob("*faketime*")]
    assert not [name for name in left if int(name.rpartition("_")[2]) in pids]

    again = runtime.up(topology, StackSpec(2, clock=True), silent)
    assert clock.offset("fake", "first") == 0
    assert stacks.find() == [again]
    runtime.down("fake", silent)


def test_missing_library_is_named_with_how_to_install_it(
    runtime: LocalRuntime, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "_FOLDERS", ("/nowhere",))
    with pytest.raises(TestbedError, match="libfaketime") as caught:
        runtime.up(topology, StackSpec(2, clock=True), silent)
    assert "apt-get install libfaketime" in caught.value.hint
    assert stacks.load("fake") is None
