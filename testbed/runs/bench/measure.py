"""Runs the echo server and the measurements; each of a client against a subject is a trial."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from testbed.drive.figures import resources
from testbed.drive.interrupts import Interrupts
from testbed.drive.ports import Progress
from testbed.drive.sampler import Sampler
from testbed.drive.statements import Statement
from testbed.drive.trial import Tools, Trial, TrialSpec
from testbed.errors import TestbedError
from testbed.record import files
from testbed.record.model import STACK, Window
from testbed.runs.bench.client import ClientRun, Task
from testbed.runs.bench.load import ClientLoad, Details, StacksUpAlready, Subject, read_run
from testbed.stack import environment
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.local.meter import ProcessMeter
from testbed.stack.sides.resolve import server

ECHO = "echo"
STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Measurement:
    """One run of the client against one subject. Memory is of all the subject's processes."""

    round: int
    subject: str
    run: ClientRun
    server_cpu_seconds: float
    rss_before: int
    rss_after: int


class BenchFailed(TestbedError):
    """A part of the bench does not run; the message says which."""


@dataclass(frozen=True)
class Measurer:
    """Measures subjects that stay up, one trial after the other, into folders below ``folder``."""

    folder: Path
    interrupts: Interrupts
    progress: Progress
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def measure(self, name: str, round_: int, subject: Subject, task: Task) -> Measurement:
        """Let the client do ``task`` and say what it cost the subject. Keeps the raw data.

        Raises :class:`TestbedError` or ``OSError`` if that came to no figure.
        """
        path = self.folder / name
        tools = Tools(
            StacksUpAlready(subject),
            Details(self.progress),
            self.interrupts,
            ask=lambda stack: Statement(stack.design),
        )
        spec = TrialSpec(next(self.numbers), server(subject.name), block=max(1, round_))
        trial = Trial(spec, ClientLoad(task), path, tools)
        trial.run()
        if trial.failure is not None:
            raise trial.failure
        measurement = _measurement(round_, subject.name, path)
        files.write_json(path / "measurement.json", asdict(measurement))
        return measurement


def _measurement(round_: int, subject: str, folder: Path) -> Measurement:
    run = read_run(folder)
    rows = [row for row in files.read_resources(folder) if row.role == STACK]
    first, last = (edge(row.unix for row in rows) for edge in (min, max))
    window = Window(run.started_unix, run.ended_unix)
    return Measurement(
        round=round_,
        subject=subject,
        run=run,
        server_cpu_seconds=resources.cpu_seconds(rows, STACK, window) or 0.0,
        rss_before=sum(row.rss_bytes for row in rows if row.unix == first),
        rss_after=sum(row.rss_bytes for row in rows if row.unix == last),
    )


def idle(subjects: list[Subject], seconds: float, folder: Path) -> dict[str, float]:
    """Leave the subjects alone and return the cores that each of them uses."""
    folder.mkdir(parents=True)
    with Sampler(folder) as sampler:
        for subject in subjects:
            sampler.watch(subject.name, subject.meter)
        sampler.sample()
        time.sleep(seconds)
    rows = files.read_resources(folder)
    window = Window(min(row.unix for row in rows), max(row.unix for row in rows))
    return {
        each.name: (resources.cpu_seconds(rows, each.name, window) or 0.0) / window.seconds
        for each in subjects
    }


@contextlib.contextmanager
def echo_server() -> Iterator[Subject]:
    """Run the echo server for the length of the block."""
    process = subprocess.Popen(
        (sys.executable, "-m", "testbed.runs.bench.echo"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment.of_process(os.environ),
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.isdigit():
            raise BenchFailed(
                "the echo server does not start; try: python -m testbed.runs.bench.echo"
            )
        yield Subject(
            StackRecord.of_one_process(ECHO, process.pid, int(line)),
            ProcessMeter.of_pids({ECHO: process.pid}),
        )
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.communicate()
