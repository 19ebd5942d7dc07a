"""Measurements of a real echo server, which is stopped whatever becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed.runs.bench import measure, scaling, session
from testbed.runs.bench.client import Task
from testbed.runs.bench.session import BenchPlan


def test_echo_server_is_measured_and_stopped_afterwards(tmp_path: Path) -> None:
    with measure.echo_server() as echo:
        task = Task(list(echo.endpoints), callers=2, warmup=0, seconds=0.3, drain=False)
        found = measure.measure(1, echo, task, tmp_path / "raw")
        (pid,) = (
            each.pid
            for each in psutil.Process().children()
            if "testbed.runs.bench.echo" in each.cmdline()
        )
    assert found.run.calls > 0
    assert found.run.accepted >= found.run.calls
    assert not found.run.errors
    assert found.server_cpu_seconds > 0
    assert not psutil.pid_exists(pid)


def test_stacks_and_echo_server_are_stopped_when_a_measurement_fails(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise measure.BenchFailed("no figure")

    monkeypatch.setattr(measure, "idle", lambda *_: {})
    monkeypatch.setattr(measure, "measure", fail)
    plan = BenchPlan(("a", "b"), rounds=1)
    before = set(psutil.Process().children())
    with pytest.raises(measure.BenchFailed, match="no figure"):
        session.run(plan, bench.home, bench.stacks, bench.interrupts, bench.progress)
    assert bench.stacks.done == ["up a", "up b", "down a", "down b"]
    started = set(psutil.Process().children()) - before
    assert not [each for each in started if each.is_running()]


def test_subject_that_accepts_nothing_is_an_error(tmp_path: Path) -> None:
    with measure.echo_server() as echo:
        nobody = measure.Subject("a", ("127.0.0.1:1",), echo.meter)
        task = Task(list(nobody.endpoints), callers=1, warmup=0, seconds=0.2, drain=False)
        with pytest.raises(measure.BenchFailed, match="A accepted nothing"):
            measure.measure(1, nobody, task, tmp_path / "raw")


def test_costs_of_the_job_owner_are_measured_at_each_size() -> None:
    small, large = scaling.costs([100, 1000])
    assert (small.jobs, large.jobs) == (100, 1000)
    assert small.life_us > 0
    assert large.page_us > 0
