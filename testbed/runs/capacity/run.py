"""Runs a checked plan from the command line: checks, searches and sweeps, reports."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.text import Text

from common.handlers import registry
from testbed.drive import outputs, provenance
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.load import Locust
from testbed.drive.pace import Pace
from testbed.drive.stacks import RuntimeStacks, require_startable
from testbed.drive.timed import TimedLoad, expected_phases
from testbed.drive.trial import Tools
from testbed.errors import INTERRUPT_EXIT
from testbed.report import console, progress
from testbed.report.surroundings import make_ready, note_surroundings
from testbed.runs.capacity import plan as planning
from testbed.runs.capacity import report, session
from testbed.runs.capacity.drive import TrialDriver
from testbed.runs.capacity.plan import CapacityPlan
from testbed.runs.capacity.search import SearchOutcome
from testbed.runs.capacity.session import CapacityResult
from testbed.stack import records as stacks
from testbed.stack.sides.resolve import resolve_all
from testbed.stack.sides.side import labels

NAME = "capacity"
LOCUSTFILE = Path("locustfiles", "mixed.py")
# Outcomes of a search that give a design a confirmed figure.
_CONFIRMED = {SearchOutcome.FOUND, SearchOutcome.AT_LEAST}


def run_plan(plan: CapacityPlan) -> int:
    """Run a plan and return the exit code.

    Raises :class:`TestbedError` if it cannot start; then nothing was started or written.
    """
    home = stacks.project_root()
    locustfile = home / LOCUSTFILE
    _check(plan, locustfile)
    deployments = resolve_all(plan.sides, plan.spec)
    origin = provenance.collect(home, ("testbed", *sys.argv[1:]), deployments)
    folder = outputs.new_folder(home / "results", NAME)
    phases, drives = expected_phases(plan.traffic), plan.expected_drives()
    _opening(plan, origin, folder, drives * sum(phases.values()))
    interrupts = Interrupts(console.note_still_stopping)
    result = CapacityResult()
    complete = False
    with interrupts.installed(), contextlib.suppress(Interrupted):
        try:
            pace = Pace(drives, phases, time.monotonic)
            with progress.shown(console.err, pace, drives) as display:
                control = RuntimeStacks(display)
                tools = Tools(control, display, interrupts)
                _drive(plan, folder, tools, locustfile, result)
                complete = True
        finally:
            with interrupts.shield():
                _closing(plan, origin, folder, result, complete)
    if interrupts.happened:
        return INTERRUPT_EXIT
    return 0 if all(each.outcome in _CONFIRMED for each in result.searches.values()) else 1


def _check(plan: CapacityPlan, locustfile: Path) -> None:
    """Raise :class:`TestbedError` for what cannot be driven here and now."""
    planning.check(plan, registry.load().names())
    make_ready(plan.sides, plan.spec.runtime)
    require_startable(resolve_all(plan.sides, plan.spec))
    Locust(locustfile, replace(plan.traffic, rate=plan.search.first)).check()


def _drive(
    plan: CapacityPlan, folder: Path, tools: Tools, locustfile: Path, result: CapacityResult
) -> None:
    """Search, then sweep; ``result`` gets what is found as soon as it is."""
    driver = TrialDriver(
        plan,
        folder,
        tools,
        lambda traffic: TimedLoad(traffic, Locust(locustfile, traffic), plan.audit_seconds),
    )
    session.search_all(plan.sides, plan.search, driver, result)
    if plan.users:
        seed = plan.traffic.seed
        session.sweep_all(plan.sides, plan.users, plan.repeats, seed, driver, result)


def _opening(plan: CapacityPlan, origin: Mapping[str, Any], folder: Path, seconds: float) -> None:
    named = " and ".join(labels(plan.sides))
    # The number of steps depends on what they show.
    about = progress.minutes(math.ceil(seconds / 30) * 30)
    console.note(f"Capacity of {named}, about {about}. Ctrl-C stops it and keeps what there is.")
    console.note(f"Objective: {plan.slo.words()}.")
    console.note(f"Raw data: {folder}")
    note_surroundings(origin["machine"], plan.sides)


def _closing(
    plan: CapacityPlan,
    origin: Mapping[str, Any],
    folder: Path,
    result: CapacityResult,
    complete: bool,
) -> None:
    path = report.write(folder, plan, origin, result, complete)
    if result.steps:
        console.out.print(report.steps_table(result))
    if result.points:
        console.out.print()
        console.out.print(report.sweep_table(plan.sides, result))
    console.out.print()
    for words in report.verdicts(plan, result):
        console.out.print(Text(words))
    if not complete:
        console.out.print(Text("Stopped before its end. Nothing is left running."))
    console.out.print(Text(f"\nReport: {path}"))
