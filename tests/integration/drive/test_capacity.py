"""Drives of a capacity run as trials, with stand-ins for the stack and the load generator."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.ports import LoadCommand
from testbed.drive.statements import Statement
from testbed.drive.timed import TimedLoad
from testbed.drive.traffic import Traffic
from testbed.drive.trial import Tools
from testbed.record.calls import SERVICE
from testbed.record.files import read_json
from testbed.runs.capacity import session
from testbed.runs.capacity.drive import DriveFailed, TrialDriver
from testbed.runs.capacity.plan import CapacityPlan
from testbed.runs.capacity.search import DriveVerdict
from testbed.runs.capacity.session import CapacityResult
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes.local.meter import ProcessMeter
from testbed.stack.sides.resolve import Deployment
from tests.support.recordings import LoadMaker

REFUSES = "import sys; print('no such option'); sys.exit(2)"
HANGS = "import time; time.sleep(60)"
INTERRUPTS = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"


class FakeStacks:
    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.done: list[str] = []

    def up(self, deployment: Deployment) -> StackRecord:
        design, spec = deployment.design, deployment.spec
        self.done.append(f"up {design}")
        process = ProcessRecord("server", self.pid, 0.0, 1, "/log/server.log")
        return StackRecord(design, "fake", ("h:1",), {}, (process,), spec.slots, {}, "", True)

    def meter(self, stack: StackRecord) -> ProcessMeter:
        return ProcessMeter.of_pids({each.name: each.pid for each in stack.processes})

    def down(self, design: str) -> None:
        self.done.append(f"down {design}")


class ProgressLog:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.ends: list[str] = []

    def trial(self, number: int, title: str) -> None:
        self.titles.append(title)

    def trial_done(self, text: str, good: bool = True) -> None:
        self.ends.append(text)

    def phase(self, name: str, seconds: float | None = None) -> None: ...

    def detail(self, text: str) -> None: ...

    def note(self, text: str) -> None: ...

    def expect(self, trials: int) -> None: ...


class Rig:
    def __init__(self, folder: Path, script: str, pid: int) -> None:
        self.folder = folder
        self.script = script
        self.stacks = FakeStacks(pid)
        self.progress = ProgressLog()
        self.traffics: list[Traffic] = []
        self.interrupts = Interrupts()
        tools = Tools(
            self.stacks,
            self.progress,
            self.interrupts,
            ask=lambda stack: Statement(stack.design),
        )
        self.driver = TrialDriver(CapacityPlan(), folder, tools, self.workload)

    def workload(self, traffic: Traffic) -> TimedLoad:
        return TimedLoad(traffic, self.load(traffic), 1.0, lambda *_: ())

    def load(self, traffic: Traffic) -> LoadCommand:
        self.traffics.append(traffic)

        def command(stack: StackRecord, folder: Path) -> Sequence[str]:
            return [sys.executable, "-c", self.script]

        return command


@pytest.fixture
def rig(tmp_path: Path) -> Any:
    return lambda script, pid=0: Rig(tmp_path, script, pid or os.getpid())


def test_generator_that_fails_ends_the_run_and_not_as_a_capacity(rig: Any) -> None:
    made = rig(REFUSES)
    with pytest.raises(DriveFailed, match="no such option"):
        made.driver.open_loop("a", 100.0, confirm=False)
    assert made.stacks.done == ["up a", "down a"]


def test_stack_that_ends_under_load_has_failed_the_rate(rig: Any) -> None:
    exited = psutil.Popen(["true"])
    exited.wait()
    made = rig(HANGS, exited.pid)
    judged = made.driver.open_loop("a", 100.0, confirm=False)
    assert judged.verdict is DriveVerdict.FAILED
    assert "ended while" in judged.reason
    assert made.stacks.done == ["up a", "down a"]
    written = read_json(made.folder / "trials" / "001-a" / "judgement.json")
    assert written["told"] == "failed"
    assert made.progress.ends[0].startswith("failed: ")


def test_every_drive_has_its_rate_its_length_and_arrivals_of_its_own(rig: Any) -> None:
    made = rig(REFUSES)
    for rate, confirm in ((200.0, False), (200.0, True)):
        with pytest.raises(DriveFailed):
            made.driver.open_loop("a", rate, confirm=confirm)
    with pytest.raises(DriveFailed):
        made.driver.closed_loop("b", 8)
    search, confirming, sweep = made.traffics
    assert (search.rate, search.duration, confirming.duration) == (200, 15, 16)
    assert search.seed != confirming.seed
    assert (sweep.rate, sweep.users, sweep.think_time) == (None, 8, 0)
    assert made.progress.titles == [
        "design A, 200 calls/s",
        "design A, 200 calls/s, to confirm",
        "design B, 8 users",
    ]


def test_interrupted_drive_leaves_neither_generator_nor_stack(rig: Any) -> None:
    made = rig(INTERRUPTS)
    before = {each.pid for each in psutil.Process().children()}
    with made.interrupts.installed(), pytest.raises(Interrupted):
        made.driver.open_loop("a", 100.0, confirm=False)
    assert made.stacks.done == ["up a", "down a"]
    assert {each.pid for each in psutil.Process().children()} <= before


LAWS = {"a": (300.0, 0.1, 0.002), "b": (200.0, 0.02, 0.0005)}


class ObeysTheLaw(Rig):
    """Each drive leaves a recording with the throughput of its design's law, 10 % less at first."""

    def load(self, traffic: Traffic) -> LoadCommand:
        def command(stack: StackRecord, folder: Path) -> Sequence[str]:
            rate, sigma, kappa = LAWS[stack.design]
            n = traffic.users or 0
            answered = round(rate * n / (1 + sigma * (n - 1) + kappa * n * (n - 1)))
            calls = {"SubmitJob": {SERVICE: [1000] * answered}}
            cold = {"SubmitJob": {SERVICE: [1000] * (answered * 9 // 10)}}
            LoadMaker(seconds=4, warmup=2.0, calls=calls, per_second={0: cold, 1: cold}).write(
                folder
            )
            return [sys.executable, "-c", ""]

        return command


def test_sweep_of_whole_trials_finds_the_law_of_each_design(tmp_path: Path) -> None:
    """From starting a stack, over what the generator left on disk, to the fitted law."""
    made, result = ObeysTheLaw(tmp_path, "", os.getpid()), CapacityResult()
    users = (1, 2, 4, 8, 16, 32)
    session.sweep_all(["a", "b"], users, 1, 1, made.driver, result)
    assert sorted(made.stacks.done) == sorted(
        f"{what} {design}" for what in ("up", "down") for design in "ab" for _ in users
    )
    for design, (rate, sigma, kappa) in LAWS.items():
        fit = result.fit(design)
        assert fit is not None
        assert fit.lambda_.estimate == pytest.approx(rate, rel=0.01)
        assert fit.sigma.estimate == pytest.approx(sigma, abs=0.002)
        assert fit.kappa.estimate == pytest.approx(kappa, abs=0.0002)
