from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from testbed.drive.sampler import Sampler
from testbed.errors import TestbedError
from testbed.record import files
from testbed.record.model import GENERATOR, STACK
from testbed.stack.runtimes import Usage
from testbed.stack.runtimes.local.meter import ProcessMeter

BOUND = 30.0
NEVER = 1e9


class FakeMeter:
    """Gives out the same reading over and over, and signals when it has given it three times."""

    def __init__(self, use: Mapping[str, Usage | None], interval: float = 0.01) -> None:
        self.interval = interval
        self.enough = threading.Event()
        self._use = use
        self._readings = 0

    def read(self) -> Mapping[str, Usage | None]:
        self._readings += 1
        if self._readings >= 3:
            self.enough.set()
        return self._use


class StuckMeter(FakeMeter):
    """Its first reading lasts until it is let go."""

    def __init__(self) -> None:
        super().__init__({"slow": Usage(1.0, 1)})
        self.go_on = threading.Event()

    def read(self) -> Mapping[str, Usage | None]:
        self.go_on.wait(BOUND)
        return super().read()


class BrokenMeter(FakeMeter):
    def __init__(self) -> None:
        super().__init__({})

    def read(self) -> Mapping[str, Usage | None]:
        self.enough.set()
        raise TestbedError("the engine does not answer")


def test_rows_have_everything_that_a_meter_reads(tmp_path: Path) -> None:
    meter = FakeMeter({"one": Usage(1.5, 7, 0.25, 40, 10), "two": Usage(2.5, 8)})
    with Sampler(tmp_path) as sampler:
        sampler.watch(STACK, meter)
        assert meter.enough.wait(BOUND)
    rows = files.read_resources(tmp_path)
    assert len(rows) >= 6
    assert {(row.process, row.cpu_seconds, row.rss_bytes) for row in rows} == {
        ("one", 1.5, 7),
        ("two", 2.5, 8),
    }
    throttling = {
        (row.process, row.throttled_seconds, row.periods, row.throttled_periods) for row in rows
    }
    assert throttling == {("one", 0.25, 40, 10), ("two", None, None, None)}
    assert len({row.unix for row in rows}) == len(rows) / 2


def test_exited_process_is_reported_and_has_no_row(tmp_path: Path) -> None:
    with Sampler(tmp_path) as sampler:
        sampler.watch(STACK, FakeMeter({"exited": None, "here": Usage(1.0, 1)}))
        sampler.sample()
        assert sampler.exited(STACK) == ("exited",)
        assert sampler.exited(GENERATOR) == ()
    assert {row.process for row in files.read_resources(tmp_path)} == {"here"}


def test_sampler_that_was_finished_takes_no_other_sample_on_its_way_out(tmp_path: Path) -> None:
    with Sampler(tmp_path) as sampler:
        sampler.watch(STACK, FakeMeter({"one": Usage(1.0, 1), "two": None}, interval=NEVER))
        sampler.finish()
        assert sampler.exited(STACK) == ("two",)
    assert len(files.read_resources(tmp_path)) == 1


def test_slow_meter_does_not_hold_up_another(tmp_path: Path) -> None:
    slow, quick = StuckMeter(), FakeMeter({"locust": Usage(1.0, 1)})
    with Sampler(tmp_path) as sampler:
        sampler.watch(STACK, slow)
        sampler.watch(GENERATOR, quick)
        try:
            assert quick.enough.wait(BOUND)
        finally:
            slow.go_on.set()


def test_meter_that_fails_is_reported_at_the_end(tmp_path: Path) -> None:
    meter = BrokenMeter()
    sampler = Sampler(tmp_path)
    sampler.__enter__()
    sampler.watch(STACK, meter)
    assert meter.enough.wait(BOUND)
    with pytest.raises(TestbedError, match="engine does not answer"):
        sampler.__exit__()


def test_descendants_of_a_process_count_with_it_and_its_end_is_seen() -> None:
    child = "b = bytearray(60 << 20); print('ready', flush=True); input()"
    parent = "import subprocess, sys; subprocess.call([sys.executable, '-c', sys.argv[1]])"
    with subprocess.Popen(
        [sys.executable, "-c", parent, child],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        meter = ProcessMeter.of_pids({"tree": process.pid})
        use = meter.read()["tree"]
        assert use is not None
        assert use.memory_bytes > psutil.Process(process.pid).memory_info().rss + (60 << 20)
        assert (use.throttled_seconds, use.periods) == (None, None)
        process.communicate("\n")
    assert meter.read() == {"tree": None}
    assert ProcessMeter.of_pids({"tree": process.pid}).read() == {"tree": None}
