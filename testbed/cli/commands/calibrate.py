"""``testbed calibrate``: what the instrument itself adds to what it measures, on this machine."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Annotated

import typer
from rich.text import Text

from testbed.cli import options
from testbed.drive import outputs, provenance
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.pace import Pace
from testbed.drive.trial import AUDIT, DOWN, DRIVE, UP
from testbed.errors import INTERRUPT_EXIT
from testbed.report import console, progress
from testbed.report.provenance import busy_note
from testbed.runs.calibrate import drive, report
from testbed.runs.calibrate.plan import CalibrationPlan
from testbed.stack import records as stacks

NAME = "calibrate"
QUICK_SECONDS = 5
_PLAN = CalibrationPlan()
_STARTUP_SECONDS = 3.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(NAME)(calibrate)


def calibrate(
    rate: Annotated[
        float,
        typer.Option(help="Calls per second. Use the rate that you mean to measure with."),
    ] = _PLAN.rate,
    duration: Annotated[
        int, typer.Option(help="Seconds measured in each of the three phases.")
    ] = _PLAN.duration,
    client: options.Client[str] = _PLAN.client,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help=f"{QUICK_SECONDS} seconds for each phase: shows that it works."
        ),
    ] = False,
) -> None:
    """Hold the instrument against a server whose service times and stalls are known.

    The load generator that all trials use drives a stub server that takes known times to answer
    and notes each call itself. Compares what is reported with what is true: service times,
    response times under stalls, counts, the rate. Also shows what a closed loop would have
    reported of the same stalls. Writes results/calibrate/<UTC>/calibration.json.

    Ends with 1 if the instrument disagrees with the truth beyond its stated error, with 130 after
    Ctrl-C; nothing is left running either way.
    """
    plan = CalibrationPlan(rate, QUICK_SECONDS if quick else duration, client=client)
    raise typer.Exit(run(plan))


def run(plan: CalibrationPlan) -> int:
    """Run a calibration and return the exit code. Raises :class:`TestbedError`."""
    home = stacks.project_root()
    drive.check(plan, home)
    origin = provenance.collect(home, ("testbed", *sys.argv[1:]))
    folder = outputs.new_folder(home / "results", NAME)
    phases = list(plan.phases())
    driving = plan.warmup + plan.duration + _STARTUP_SECONDS
    planned = {UP: 1.5, DRIVE: driving, AUDIT: 0.0, DOWN: 1.0}
    console.note(
        f"Calibrating {plan.client} at {plan.rate:g} calls/s, about "
        f"{progress.minutes(len(phases) * sum(planned.values()))}. Raw data: {folder}"
    )
    if busy := busy_note(origin["machine"]):
        console.note(busy)
    interrupts = Interrupts()
    with interrupts.installed(), contextlib.suppress(Interrupted):
        pace = Pace(len(phases), planned, time.monotonic)
        with progress.shown(console.err, pace, len(phases)) as display:
            figures = drive.run(plan, home, folder, interrupts, display)
        path = report.write(folder, plan, origin, figures)
        console.out.print(report.table(figures))
        console.out.print()
        for line in report.checks(figures):
            console.out.print(line)
        for words in report.verdict(plan, figures):
            console.out.print(Text(f"\n{words}"))
        console.out.print(Text(f"\nReport: {path}"))
        return 0 if all(each.agrees for each in figures) else 1
    console.note(f"interrupted; nothing is left running, raw data is in {folder}")
    return INTERRUPT_EXIT
