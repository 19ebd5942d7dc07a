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

from testbed.drive.figures import hops, resources
from testbed.drive.figures.hops import Hop
from testbed.drive.interrupts import Interrupts
from testbed.drive.ports import Progress
from testbed.drive.sampler import Sampler
from testbed.drive.scraper import AT_THE_ENDS
from testbed.drive.statements import Statement
from testbed.drive.trial import Tools, Trial, TrialSpec
from testbed.errors import TestbedError
from testbed.record import files
from testbed.record.metrics import read_metrics
from testbed.record.model import STACK, Window
from testbed.runs.bench.client import ClientRun, Task
from testbed.runs.bench.load import ClientLoad, Details, StacksUpAlready, Subject, read_run
from testbed.stack import environment
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.local.meter import ProcessMeter
from testbed.stack.sides.resolve import server
from testbed.stack.sides.side import Side, folder_name

ECHO = "echo"
STOP_SECONDS = 5.0
# The client's own look at what has finished, and what follows from that: no part of a job's life.
LOOKS = frozenset({"ListJobs", "ListJobRecords"})


@dataclass(frozen=True)
class Measurement:
    """One run of the client against one subject. Memory is of all the subject's processes.

    ``hops`` are the calls that the run's jobs took, ``None`` of a subject that counts none.
    """

    round: int
    subject: str
    run: ClientRun
    server_cpu_seconds: float
    rss_before: int
    rss_after: int
    callers: int = 0
    hops: tuple[Hop, ...] | None = None


class BenchFailed(TestbedError):
    """A part of the bench does not run; the message says which."""


@dataclass(frozen=True)
class Measurer:
    """Measures subjects that stay up, one trial after the other, into folders below ``folder``."""

    folder: Path
    interrupts: Interrupts
    progress: Progress
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def measure(self, what: str, round_: int, subject: Subject, task: Task) -> Measurement:
        """Let the client do ``task`` and say what it cost the subject. Keeps the raw data.

        ``what`` is part of the name of their folder. Metrics are scraped before the client starts
        and after it has ended, so that no page is made while it measures. Raises
        :class:`TestbedError` or ``OSError`` if that came to no figure.
        """
        number, path = self._place(what, subject)
        tools = Tools(
            StacksUpAlready(subject),
            Details(self.progress),
            self.interrupts,
            ask=lambda stack: Statement(stack.design),
            scrape_interval=AT_THE_ENDS,
        )
        spec = TrialSpec(number, server(subject.stack.side), block=max(1, round_))
        trial = Trial(spec, ClientLoad(task), path, tools)
        trial.run()
        if trial.failure is not None:
            raise trial.failure
        measurement = _measurement(round_, subject.name, task.callers, path)
        files.write_json(path / "measurement.json", asdict(measurement))
        return measurement

    def idle(self, subject: Subject, seconds: float) -> float:
        """Leave the subject alone and return the cores that it uses."""
        _, path = self._place("idle", subject)
        path.mkdir(parents=True)
        with Sampler(path) as sampler:
            sampler.watch(STACK, subject.meter)
            sampler.sample()
            time.sleep(seconds)
        rows = files.read_resources(path)
        window = Window(min(row.unix for row in rows), max(row.unix for row in rows))
        return (resources.cpu_seconds(rows, STACK, window) or 0.0) / window.seconds

    def _place(self, what: str, subject: Subject) -> tuple[int, Path]:
        number, of = next(self.numbers), folder_name(Side.parse(subject.stack.side))
        return number, self.folder / f"{number:03d}-{what}-{of}"


def _measurement(round_: int, subject: str, callers: int, folder: Path) -> Measurement:
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
        callers=callers,
        hops=_hops(folder),
    )


def _hops(folder: Path) -> tuple[Hop, ...] | None:
    metrics = read_metrics(folder)
    if not hops.counted(metrics):
        return None
    times = [unix for each in metrics.by_process.values() for unix in each.times]
    found = hops.hops(metrics, Window(min(times), max(times)))
    return tuple(each for each in found if each.way.method not in LOOKS)


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
            ECHO,
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
