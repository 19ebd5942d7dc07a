"""Trial folders with known contents, and stand-ins for stacks and the load generator."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed.drive.figures import unmeasured
from testbed.drive.interrupts import Interrupts
from testbed.drive.ports import LoadCommand
from testbed.drive.statements import Statement
from testbed.drive.timed import TimedLoad
from testbed.drive.traffic import Traffic
from testbed.drive.trial import Tools
from testbed.errors import TestbedError
from testbed.record.model import (
    COMPLETE,
    GENERATOR,
    STACK,
    JobRow,
    LoadRecording,
    ResourceRow,
    TrialHeader,
    TrialRecording,
    Window,
)
from testbed.runs.compare.plan import Plan
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes.local.meter import ProcessMeter, StackMeter
from testbed.stack.sides.resolve import Deployment
from tests.support.recordings import LoadMaker

START = 1_000.0


@dataclass
class TrialMaker:
    """Makes recordings of trials; the window is from 1000 s to 1010 s by default."""

    window: Window = field(default_factory=lambda: Window(START, START + 10))

    def header(self, number: int = 1, side: int = 0, **changes: Any) -> TrialHeader:
        values: dict[str, Any] = {
            "number": number,
            "block": (number + 1) // 2,
            "position": 1,
            "side": side,
            "design": "ab"[side],
            "status": COMPLETE,
        }
        return TrialHeader(**{**values, **changes})

    def job(self, number: int, created: float, wait: float, run: float, **changes: Any) -> JobRow:
        """A job that was created, waited and ran for so many seconds since the window's start."""
        created_us = round((self.window.from_unix + created) * 1e6)
        start_us = created_us + round(wait * 1e6)
        values: dict[str, Any] = {
            "job_id": f"{number:016d}",
            "accepted": True,
            "state": "DONE",
            "attempt": 1,
            "create_us": created_us,
            "start_us": start_us,
            "finish_us": start_us + round(run * 1e6),
        }
        return JobRow(**{**values, **changes})

    def cpu(
        self, role: str, process: str, cores: float, seconds: float = 10.0
    ) -> list[ResourceRow]:
        """A process that uses so many cores, sampled from 2 s before a drive to 3 s after it."""
        return [
            ResourceRow(START - 2 + step / 4, role, process, cores * step / 4, 100 << 20)
            for step in range(round(4 * (seconds + 5)))
        ]

    def load(self, **changes: Any) -> LoadRecording:
        """Ten seconds of 100 submits of 1 ms."""
        return LoadMaker(**changes).recording()

    def trial(self, *, jobs: Sequence[JobRow] | None = None, **changes: Any) -> TrialRecording:
        """A sound trial: 1,000 submits of 1 ms, 100 jobs, 0.5 core in two processes."""
        rows = (
            tuple(self.job(number, number * 0.05, 0.001, 0.02) for number in range(100))
            if jobs is None
            else tuple(jobs)
        )
        load = changes.get("load")
        seconds = 10.0 if load is None else load.window.seconds
        values: dict[str, Any] = {
            "header": self.header(),
            "load": self.load(accepted=[job.job_id for job in rows if job.accepted]),
            "jobs": rows,
            "resources": tuple(
                self.cpu(STACK, "one", 0.2, seconds)
                + self.cpu(STACK, "two", 0.3, seconds)
                + self.cpu(GENERATOR, "locust", 0.25, seconds)
            ),
        }
        return TrialRecording(**{**values, **changes})


@pytest.fixture
def make() -> TrialMaker:
    return TrialMaker()


@dataclass
class FakeStacks:
    """Stacks whose one process is this test's own; remembers what was done."""

    done: list[str] = field(default_factory=list)
    broken: Mapping[str, str] = field(default_factory=dict)
    pid: int = field(default_factory=os.getpid)

    def up(self, deployment: Deployment) -> StackRecord:
        design, spec = deployment.design, deployment.spec
        self.done.append(f"up {design}")
        if design in self.broken:
            raise TestbedError(self.broken[design])
        process = ProcessRecord("server", self.pid, psutil.Process().create_time(), 1, "server.log")
        return StackRecord(
            design, "fake", ("127.0.0.1:1",), {}, (process,), spec.slots, {}, "2026-01-01T00:00:00Z"
        )

    def meter(self, stack: StackRecord) -> ProcessMeter:
        return StackMeter(stack)

    def down(self, design: str) -> None:
        self.done.append(f"down {design}")


class ProgressLog:
    """Progress that remembers what it was notified of."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.ends: list[str] = []
        self.notes: list[str] = []
        self.expected = 0

    def trial(self, number: int, title: str) -> None:
        self.phases.append(f"trial {number}: {title}")

    def phase(self, name: str, seconds: float | None = None) -> None:
        self.phases.append(name)

    def detail(self, text: str) -> None:
        pass

    def trial_done(self, text: str, good: bool = True) -> None:
        self.ends.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def expect(self, trials: int) -> None:
        self.expected = trials


GOOD_LOAD = """
import shutil, sys
shutil.copytree(sys.argv[2], sys.argv[1], dirs_exist_ok=True)
"""


@dataclass
class Bench:
    """A trial's tools, all of them stand-ins, and the plan they serve."""

    home: Path
    stacks: FakeStacks = field(default_factory=FakeStacks)
    progress: ProgressLog = field(default_factory=ProgressLog)
    interrupts: Interrupts = field(default_factory=Interrupts)
    script: str = GOOD_LOAD
    lost: str = ""
    plan: Plan = field(
        default_factory=lambda: Plan("test", blocks=2, traffic=Traffic(duration=1, warmup=0))
    )
    statements: dict[str, Statement] = field(default_factory=dict)
    recorded: LoadMaker = field(default_factory=lambda: LoadMaker(accepted=["0000000000000001"]))

    def load(self, _traffic: Traffic) -> LoadCommand:
        template = self.recorded.write(self.home / "template")
        return lambda _stack, folder: (
            sys.executable,
            "-c",
            self.script,
            str(folder),
            str(template),
        )

    def ask(self, stack: StackRecord) -> Statement:
        return self.statements.get(stack.design, Statement(stack.design, {"slots": 12.0}, {}))

    def audit(
        self,
        _endpoints: Sequence[str],
        accepted: Iterable[str],
        _seconds: float,
        _on_progress: Callable[[int, int], None],
        _retention: float,
    ) -> tuple[JobRow, ...]:
        return tuple(
            JobRow(job_id, True, "DONE", 1, 1, 2, 3, problem=self.lost) for job_id in accepted
        )

    def workload(self, traffic: Traffic) -> TimedLoad:
        return TimedLoad(traffic, self.load(traffic), self.plan.audit, self.audit)

    @property
    def tools(self) -> Tools:
        return Tools(
            self.stacks,
            self.progress,
            self.interrupts,
            ask=self.ask,
        )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    # The stand-in for the load is over at once, so no sample can be of the drive that it records.
    monkeypatch.setattr(unmeasured, "EDGE_SECONDS", math.inf)
    return Bench(tmp_path)
