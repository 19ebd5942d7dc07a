"""Measurements of a real echo server, which is stopped whatever becomes of them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from common.config import Settings
from common.rpc.process import Process
from design_b.node import assemble
from testbed.drive.figures.hops import Way
from testbed.drive.ports import TrialFailed
from testbed.record import files
from testbed.record.metrics import read_metrics
from testbed.record.model import COMPLETE
from testbed.runs.bench import measure, scaling, session
from testbed.runs.bench.client import ClientRun, Task
from testbed.runs.bench.load import Subject
from testbed.runs.bench.measure import ECHO, Measurement, Measurer
from testbed.runs.bench.plan import BenchPlan
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import secret
from testbed.stack.runtimes.local.meter import ProcessMeter
from tests.support.children import children_with


def test_echo_server_is_measured_and_stopped_afterwards(bench: Any) -> None:
    began = time.monotonic()
    with measure.echo_server() as echo:
        task = Task(callers=2, warmup=0, seconds=0.3, drain=False)
        measurer = Measurer(bench.home, bench.interrupts, bench.progress)
        found = measurer.measure("raw", 1, echo, task)
        (child,) = children_with("testbed.runs.bench.echo")
    assert found.run.calls > 0
    assert found.run.accepted >= found.run.calls
    assert not found.run.errors
    assert found.server_cpu_seconds > 0
    assert 0 < found.run.p50_ms < 1e3 * (time.monotonic() - began)
    assert found.hops is None
    assert files.read_header(bench.home / "001-raw-echo").status == COMPLETE
    assert not child.is_running()


async def test_calls_of_the_jobs_are_counted_and_the_client_s_own_looks_are_not(
    bench: Any, tmp_path: Path
) -> None:
    secret_file = tmp_path / "private" / "secret"
    secret.make(secret_file)
    anywhere = "127.0.0.1:0"
    settings = Settings("node-0", anywhere, metrics=anywhere, slots=2, secret_file=str(secret_file))
    process = Process(settings)
    assemble(process)
    await process.start()
    try:
        stack = replace(
            StackRecord.of_one_process("b", os.getpid(), process.port),
            metrics={"node-0": f"127.0.0.1:{process._metrics.server_port}"},
        )
        subject = Subject("B", stack, ProcessMeter.of_pids({"node-0": os.getpid()}))
        measurer = Measurer(bench.home, bench.interrupts, bench.progress)
        task = Task(callers=2, jobs=20)
        found = await asyncio.to_thread(measurer.measure, "raw", 1, subject, task)
    finally:
        await process.stop()
    assert (found.run.accepted, found.run.finished, found.callers) == (20, 20, 2)
    assert found.hops is not None
    (hop,) = found.hops
    assert (hop.way, hop.calls) == (Way("client", "node", "SubmitJob"), 20)
    scraped = read_metrics(bench.home / "001-raw-b").by_process["node-0"]
    assert len(scraped.times) == 2
    assert scraped.times[0] < found.run.started_unix
    assert scraped.times[1] > found.run.ended_unix


def measured_by(monkeypatch: pytest.MonkeyPatch, outcome: Callable[[str, Subject], None]) -> None:
    """Replace what takes time: nothing is driven, and ``outcome`` sees what would be."""

    def measure_nothing(
        _self: Measurer, what: str, round_: int, subject: Subject, task: Task
    ) -> Measurement:
        outcome(what, subject)
        return Measurement(round_, subject.name, ClientRun(), 0.0, 0, 0, task.callers)

    monkeypatch.setattr(Measurer, "idle", lambda *_: 0.0)
    monkeypatch.setattr(Measurer, "measure", measure_nothing)


def test_stack_and_echo_server_are_stopped_when_a_measurement_fails(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_what: str, subject: Subject) -> None:
        if subject.name != ECHO:
            raise measure.BenchFailed("no figure")

    measured_by(monkeypatch, fail)
    plan = BenchPlan(("a", "b"), rounds=1)
    before = set(psutil.Process().children())
    with pytest.raises(measure.BenchFailed, match="no figure"):
        session.run(plan, bench.home, bench.stacks, bench.interrupts, bench.progress)
    assert bench.stacks.done == ["up a", "down a"]
    started = set(psutil.Process().children()) - before
    assert not [each for each in started if each.is_running()]


def test_sides_of_one_design_take_turns_each_on_a_fresh_stack_that_is_warm(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    measured_by(monkeypatch, lambda what, subject: seen.append((subject.name, what)))
    monkeypatch.setattr(scaling, "costs", lambda _: [])
    plan = BenchPlan(("a", "a"), rounds=2, callers=(1, 16))
    found, _ = session.run(plan, bench.home, bench.stacks, bench.interrupts, bench.progress)
    assert bench.stacks.done == ["up a", "down a"] * 4
    assert [each for each in seen if each[0] == "A 2nd"] == [
        ("A 2nd", "warm-up"),
        ("A 2nd", "round-1-callers-1"),
        ("A 2nd", "round-1-callers-16"),
        ("A 2nd", "warm-up"),
        ("A 2nd", "round-2-callers-16"),
        ("A 2nd", "round-2-callers-1"),
        ("A 2nd", "memory"),
    ]
    assert [name for name, what in seen if what == "round-2-callers-1"] == ["A 2nd", "A 1st", ECHO]
    assert set(bench.progress.phases[1:]) == set(plan.phases()), "each phase is planned"
    assert found.idle_cores == {"A 1st": 0.0, "A 2nd": 0.0}
    assert found.memory.keys() == {"A 1st", "A 2nd"}


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
