"""Measurements of a real echo server, which is stopped whatever becomes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psutil
import pytest

from testbed.drive.ports import TrialFailed
from testbed.record import files
from testbed.record.model import COMPLETE
from testbed.runs.bench import measure, scaling, session
from testbed.runs.bench.client import Task
from testbed.runs.bench.measure import ECHO, Measurer
from testbed.runs.bench.session import BenchPlan


def test_echo_server_is_measured_and_stopped_afterwards(bench: Any) -> None:
    with measure.echo_server() as echo:
        task = Task(callers=2, warmup=0, seconds=0.3, drain=False)
        measurer = Measurer(bench.home, bench.interrupts, bench.progress)
        found = measurer.measure("raw", 1, echo, task)
        (pid,) = (
            each.pid
            for each in psutil.Process().children()
            if "testbed.runs.bench.echo" in each.cmdline()
        )
    assert found.run.calls > 0
    assert found.run.accepted >= found.run.calls
    assert not found.run.errors
    assert found.server_cpu_seconds > 0
    assert files.read_header(bench.home / "raw").status == COMPLETE
    assert not psutil.pid_exists(pid)


def test_stacks_and_echo_server_are_stopped_when_a_measurement_fails(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise measure.BenchFailed("no figure")

    monkeypatch.setattr(measure, "idle", lambda *_: {})
    monkeypatch.setattr(Measurer, "measure", fail)
    plan = BenchPlan(("a", "b"), rounds=1)
    before = set(psutil.Process().children())
    with pytest.raises(measure.BenchFailed, match="no figure"):
        session.run(plan, bench.home, bench.stacks, bench.interrupts, bench.progress)
    assert bench.stacks.done == ["up a", "up b", "down a", "down b"]
    started = set(psutil.Process().children()) - before
    assert not [each for each in started if each.is_running()]


def test_subject_that_accepts_nothing_is_an_error(bench: Any) -> None:
    with measure.echo_server() as echo:
        stack = replace(echo.stack, design="a", side="a", endpoints=("127.0.0.1:1",))
        nobody = replace(echo, stack=stack)
        task = Task(callers=1, warmup=0, seconds=0.2, drain=False)
        measurer = Measurer(bench.home, bench.interrupts, bench.progress)
        with pytest.raises(TrialFailed, match="A accepted nothing"):
            measurer.measure("raw", 1, nobody, task)
        assert echo.meter.read()[ECHO] is not None, "the subject stays up"


def test_costs_of_the_job_owner_are_measured_at_each_size() -> None:
    small, large = scaling.costs([100, 1000])
    assert (small.jobs, large.jobs) == (100, 1000)
    assert small.life_us > 0
    assert large.page_us > 0
