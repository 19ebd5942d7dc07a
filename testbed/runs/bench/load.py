"""The load of a bench: its client against a subject that is up before and after."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from testbed.drive.ports import Progress
from testbed.drive.trial import Audited, Drive
from testbed.record import files
from testbed.runs.bench.client import DRAIN_SECONDS, ClientRun, Task
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Meter
from testbed.stack.sides.resolve import Deployment
from testbed.stack.sides.side import label

RUN = "run.json"
SETTLE_SECONDS = 0.5


@dataclass(frozen=True)
class Subject:
    """What is measured: a stack, or the echo server as one, and what reads its use.

    ``name`` is unique within the bench, which two equal sides are not by themselves.
    """

    name: str
    stack: StackRecord
    meter: Meter


@dataclass(frozen=True)
class StacksUpAlready:
    """The stacks of a trial whose subject stays up: it is there already, and nobody stops it."""

    subject: Subject

    def up(self, _deployment: Deployment) -> StackRecord:
        """Return the subject."""
        return self.subject.stack

    def meter(self, _stack: StackRecord) -> Meter:
        """Return what reads the use of the subject."""
        return self.subject.meter

    def down(self, _design: str) -> None:
        """Leave the subject up."""


@dataclass(frozen=True)
class ClientLoad:
    """The client that does one task, against whichever endpoints the stack has."""

    task: Task

    @property
    def generator(self) -> str:
        """Name of the load generator."""
        return "client"

    @property
    def seconds(self) -> float:
        """Seconds that the drive takes at most."""
        return self.task.warmup + self.task.seconds + 2 * DRAIN_SECONDS

    def command(self, stack: StackRecord, folder: Path) -> Sequence[str]:
        """Return the command of the client."""
        task = replace(self.task, endpoints=list(stack.endpoints))
        run = folder.resolve() / RUN
        return (
            *(sys.executable, "-m", "testbed.runs.bench.client"),
            *(json.dumps(asdict(task)), str(run)),
        )

    def drive(self, drive: Drive) -> None:
        """Sample memory before the client's first call, wait for its end, let memory settle."""
        drive.sampler.sample()
        drive.load.wait(self.seconds, watch=drive.require_stack)
        drive.load.require_left(RUN)
        time.sleep(SETTLE_SECONDS)
        drive.sampler.finish()
        drive.require_stack()

    def audit(
        self, stack: StackRecord, folder: Path, _on_progress: Callable[[str], None]
    ) -> Audited:
        """Hold what the client saw finish against what it saw accepted: it has drained itself."""
        run, name = read_run(folder), label(stack.side)
        if not run.calls:
            problem = f"{name} accepted nothing: {run.errors or 'no call was answered'}"
        elif self.task.drain and run.finished < run.accepted:
            problem = f"{name} finished {run.finished} of {run.accepted} accepted jobs"
        else:
            problem = ""
        return Audited((), problem)


def read_run(folder: Path) -> ClientRun:
    """Return what the client wrote."""
    return ClientRun(**files.read_json(folder / RUN))


@dataclass(frozen=True)
class Details:
    """The progress of a trial that is a phase of something longer: of it only details show."""

    progress: Progress

    def detail(self, text: str) -> None:
        """Show it."""
        self.progress.detail(text)

    def trial(self, number: int, title: str) -> None:
        """Show nothing."""

    def phase(self, name: str, seconds: float | None = None) -> None:
        """Show nothing."""

    def trial_done(self, text: str, good: bool = True) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def expect(self, trials: int) -> None:
        """Show nothing."""
