"""Runs the echo server, the client and the measurements on what they do."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from testbed.drive.figures import resources
from testbed.drive.sampler import Sampler
from testbed.errors import TestbedError
from testbed.record import files
from testbed.record.model import STACK, Window
from testbed.runs.bench.client import DRAIN_SECONDS, ClientRun, Task
from testbed.stack import environment
from testbed.stack.runtimes import Meter
from testbed.stack.runtimes.local.meter import ProcessMeter

ECHO = "echo"
STOP_SECONDS = 5.0
SETTLE_SECONDS = 0.5


@dataclass(frozen=True)
class Subject:
    """What is measured: its endpoints, and what reads the use of its processes."""

    name: str
    endpoints: tuple[str, ...]
    meter: Meter


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
    """A run of the bench did not come to a figure; the message says why."""


@contextlib.contextmanager
def echo_server() -> Iterator[Subject]:
    """Run the echo server for the length of the block."""
    with _process("testbed.runs.bench.echo") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise BenchFailed(
                "the echo server does not start; try: python -m testbed.runs.bench.echo"
            )
        yield Subject(ECHO, (f"127.0.0.1:{int(line)}",), ProcessMeter.of_pids({ECHO: process.pid}))


def measure(round_: int, subject: Subject, task: Task, folder: Path) -> Measurement:
    """Let the client do ``task`` and say what it cost the subject. Keeps the raw data."""
    folder.mkdir(parents=True)
    with Sampler(folder) as sampler:
        sampler.watch(STACK, subject.meter)
        sampler.sample()
        run = run_client(task)
        time.sleep(SETTLE_SECONDS)
    if exited := sampler.exited(STACK):
        raise BenchFailed(
            f"{', '.join(exited)} of {subject.name.upper()} ended while it was driven"
        )
    rows = files.read_resources(folder)
    window = Window(run.started_unix, run.ended_unix)
    first, last = (edge(row.unix for row in rows) for edge in (min, max))
    measurement = Measurement(
        round=round_,
        subject=subject.name,
        run=run,
        server_cpu_seconds=resources.cpu_seconds(rows, STACK, window) or 0.0,
        rss_before=sum(row.rss_bytes for row in rows if row.unix == first),
        rss_after=sum(row.rss_bytes for row in rows if row.unix == last),
    )
    files.write_json(folder / "measurement.json", asdict(measurement))
    _require_jobs(measurement, task)
    return measurement


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


def run_client(task: Task) -> ClientRun:
    """Run the client as a process of its own and return what it says."""
    with _process("testbed.runs.bench.client", json.dumps(asdict(task))) as process:
        limit = task.warmup + task.seconds + 2 * DRAIN_SECONDS
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise BenchFailed(f"the client did not end within {limit:.0f} s") from None
    if process.returncode:
        raise BenchFailed(f"the client failed: {err.strip().splitlines()[-1:]}")
    return ClientRun(**json.loads(out))


def _require_jobs(measurement: Measurement, task: Task) -> None:
    run, name = measurement.run, measurement.subject.upper()
    if not run.calls:
        raise BenchFailed(f"{name} accepted nothing: {run.errors or 'no call was answered'}")
    if task.drain and run.finished < run.accepted:
        raise BenchFailed(f"{name} finished {run.finished} of {run.accepted} accepted jobs")


@contextlib.contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a module of this project; it has ended at the end of the block."""
    process = subprocess.Popen(
        (sys.executable, "-m", module, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment.of_process(os.environ),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate()
