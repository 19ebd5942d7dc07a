"""Drives the stub server with the instrument: each phase is a trial like any other."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from testbed.drive.interrupts import Interrupts
from testbed.drive.load import Locust
from testbed.drive.ports import Progress
from testbed.drive.statements import Statement
from testbed.drive.timed import TimedLoad
from testbed.drive.traffic import Traffic
from testbed.drive.trial import Tools, Trial, TrialSpec
from testbed.errors import TestbedError
from testbed.record.load import read_load
from testbed.record.model import OPEN, JobRow
from testbed.runs.calibrate import journal
from testbed.runs.calibrate.behaviour import Behaviour
from testbed.runs.calibrate.compare import PhaseFigures, compare
from testbed.runs.calibrate.plan import THINK_SECONDS, CalibrationPlan, Phase
from testbed.stack import environment
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.local.meter import ProcessMeter
from testbed.stack.sides.resolve import Deployment, server

LOCUSTFILE = Path("locustfiles", "mixed.py")
STUB = "stub"
STUB_LOG = "stub.log"
STOP_SECONDS = 5.0
# Far more than a stall lets pile up: nothing may be dropped here.
_IN_FLIGHT_SECONDS = 5.0


class CalibrationFailed(TestbedError):
    """A part of the calibration does not run; the message says which."""


def run(
    plan: CalibrationPlan, home: Path, folder: Path, interrupts: Interrupts, progress: Progress
) -> list[PhaseFigures]:
    """Run all phases; ``home`` is the project, whose locustfiles are the instrument.

    Nothing is left running. Raises :class:`TestbedError`, or ``OSError`` if a phase cannot be run.
    """
    done = []
    for number, phase in enumerate(plan.phases(), start=1):
        progress.trial(number, phase.words())
        path = folder / phase.folder
        stacks = StubStacks(phase.behaviour, path, interrupts)
        tools = Tools(stacks, progress, interrupts, ask=lambda stack: Statement(stack.design))
        spec = TrialSpec(number, server(STUB))
        trial = Trial(spec, workload(plan, phase, home), path, tools)
        trial.run()
        if trial.failure is not None:
            raise trial.failure
        done.append(compare(phase, read_load(path), journal.read(path / journal.NAME)))
        progress.trial_done("complete")
    return done


def check(plan: CalibrationPlan, home: Path) -> None:
    """Raise :class:`TestbedError` if the instrument is not at ``home``, or refuses its options."""
    Locust(home / LOCUSTFILE, _traffic(plan, next(plan.phases()))).check()


def workload(plan: CalibrationPlan, phase: Phase, home: Path) -> TimedLoad:
    """Return the load of a phase, made by what makes those of all trials."""
    traffic = _traffic(plan, phase)
    return TimedLoad(traffic, Locust(home / LOCUSTFILE, traffic), 0.0, _nothing_kept)


def _traffic(plan: CalibrationPlan, phase: Phase) -> Traffic:
    traffic = Traffic(
        duration=plan.duration,
        warmup=plan.warmup,
        mix="submit=1,status=1",
        kind="noop",
        seed=plan.seed,
        client=plan.client,
    )
    if phase.loop == OPEN:
        flying = round(phase.rate * _IN_FLIGHT_SECONDS)
        return replace(traffic, rate=phase.rate, arrivals="even", max_in_flight=flying)
    return replace(traffic, users=phase.users, think_time=THINK_SECONDS)


def _nothing_kept(*_: Any) -> tuple[JobRow, ...]:
    """Be the audit of a server that forgets its jobs; what it answered is in its journal."""
    return ()


class StubStacks:
    """Starts a stub server in place of a stack; its journal and its log go to ``folder``."""

    def __init__(self, behaviour: Behaviour, folder: Path, interrupts: Interrupts) -> None:
        self._behaviour = behaviour
        self._folder = folder
        self._interrupts = interrupts
        self._running = contextlib.ExitStack()

    def up(self, _deployment: Deployment) -> StackRecord:
        """Start the server. Raises :class:`CalibrationFailed` if it does not start."""
        with self._interrupts.shield():
            return self._running.enter_context(stub_server(self._behaviour, self._folder))

    def meter(self, stack: StackRecord) -> ProcessMeter:
        """Return what reads the use of the server."""
        return ProcessMeter.of_pids({each.name: each.pid for each in stack.processes})

    def down(self, _design: str) -> None:
        """Stop the server; its journal is complete then."""
        self._running.close()


@contextlib.contextmanager
def stub_server(behaviour: Behaviour, folder: Path) -> Iterator[StackRecord]:
    """Run a stub server for the length of the block. Its journal is complete then.

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
        yield StackRecord.of_one_process(STUB, process.pid, int(line), str(log))
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End the server by ending its input; communicating closes the pipes too."""
    try:
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
