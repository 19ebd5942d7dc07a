"""Runs the stub server and the instrument against each other, one phase into one folder."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from testbed.drive.interrupts import Interrupts
from testbed.drive.load import END_GRACE, LoadProcess, Locust
from testbed.drive.ports import Progress
from testbed.drive.traffic import Traffic
from testbed.errors import TestbedError
from testbed.record.load import read_load
from testbed.record.model import OPEN
from testbed.runs.calibrate import journal
from testbed.runs.calibrate.behaviour import Behaviour
from testbed.runs.calibrate.compare import PhaseFigures, compare
from testbed.runs.calibrate.plan import THINK_SECONDS, CalibrationPlan, Phase
from testbed.stack import environment
from testbed.stack.records import StackRecord

STUB_LOG = "stub.log"
STOP_SECONDS = 5.0
STARTING, DRIVING, STOPPING = "starting", "driving", "stopping"
# Far more than a stall lets pile up: nothing may be dropped here.
_IN_FLIGHT_SECONDS = 5.0


class CalibrationFailed(TestbedError):
    """A part of the calibration does not run; the message says which."""


class Bench:
    """Runs phases; ``home`` is the project, whose locustfiles are the instrument."""

    def __init__(
        self, plan: CalibrationPlan, home: Path, interrupts: Interrupts, progress: Progress
    ) -> None:
        self._plan = plan
        self._home = home
        self._interrupts = interrupts
        self._progress = progress

    def run(self, folder: Path) -> list[PhaseFigures]:
        """Run all phases. Nothing is left running. Raises :class:`TestbedError`."""
        done = []
        for number, phase in enumerate(self._plan.phases(), start=1):
            self._progress.trial(number, phase.words())
            path = folder / phase.folder
            path.mkdir()
            self._drive(phase, path)
            done.append(compare(phase, read_load(path), journal.read(path / journal.NAME)))
            self._progress.trial_done("complete")
        return done

    def _drive(self, phase: Phase, folder: Path) -> None:
        seconds = self._plan.warmup + self._plan.duration
        self._progress.phase(STARTING)
        running = contextlib.ExitStack()
        try:
            with self._interrupts.shield():
                port = running.enter_context(stub_server(phase.behaviour, folder))
                arguments = command(self._plan, phase, f"127.0.0.1:{port}", folder, self._home)
                load = LoadProcess(arguments, folder)
                running.callback(load.stop)
            self._progress.phase(DRIVING, seconds)
            load.wait(seconds + END_GRACE)
            self._progress.phase(STOPPING)
        finally:
            with self._interrupts.shield():
                running.close()


def command(
    plan: CalibrationPlan, phase: Phase, host: str, folder: Path, home: Path
) -> Sequence[str]:
    """Return the command line of the instrument, made by what makes those of all trials.

    Raises :class:`CalibrationFailed` if the project is not at ``home``.
    """
    traffic = Traffic(
        duration=plan.duration,
        warmup=plan.warmup,
        mix="submit=1,status=1",
        kind="noop",
        seed=plan.seed,
    )
    if phase.loop == OPEN:
        flying = round(phase.rate * _IN_FLIGHT_SECONDS)
        traffic = replace(traffic, rate=phase.rate, arrivals="even", max_in_flight=flying)
    else:
        traffic = replace(traffic, users=phase.users, think_time=THINK_SECONDS)
    locustfile = home / "locustfiles" / "mixed.py"
    if not locustfile.is_file():
        raise CalibrationFailed(
            f"{locustfile} is missing", "run this in the project, or set TESTBED_HOME to it"
        )
    stub = StackRecord("stub", "stub", (host,), {}, (), 0, {}, "")
    return Locust(locustfile, traffic)(stub, folder)


@contextlib.contextmanager
def stub_server(behaviour: Behaviour, folder: Path) -> Iterator[int]:
    """Run a stub server for the length of the block; gives its port. Its journal is complete then.

    Raises :class:`CalibrationFailed` if it does not start.
    """
    log = folder / STUB_LOG
    with log.open("wb") as errors:
        process = subprocess.Popen(
            (
                sys.executable,
                "-m",
                "testbed.runs.calibrate.stub",
                str(folder / journal.NAME),
                json.dumps(behaviour.as_data()),
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment.of_process(os.environ),
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.isdigit():
            raise CalibrationFailed(f"the stub server does not start; the reason is in {log}")
        yield int(line)
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End the server by ending its input; communicating closes the pipes too."""
    try:
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
