"""``testbed faults``: a fault run, and what both designs did under it."""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from testbed import hints
from testbed.cli import options
from testbed.drive import outputs, plan_reader, provenance
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.errors import ERROR_EXIT, INTERRUPT_EXIT
from testbed.record.files import TRIAL
from testbed.report import console, progress
from testbed.report.page import REPORT
from testbed.runs.faults import outcome, session
from testbed.runs.faults import run as runner
from testbed.runs.faults.plan import FaultPlan
from testbed.runs.faults.planfile import FOLDER
from testbed.runs.faults.report import FAULTS_CSV, FAULTS_JSON, drift, terminal
from testbed.stack import records as stacks
from testbed.stack.sides.side import title

# Seconds of a drive from which on it is worth checking what grows.
LONG = 1200.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("faults")(faults)


def faults(
    plan: Annotated[
        str | None,
        typer.Argument(
            help="Name of a plan in experiments/faults/, or a path that ends in .toml.",
            show_default=False,
        ),
    ] = None,
    sides: options.Sides = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a key of the plan: seed=7, draw.count=10, rate=50, settings.lease=10. "
            "Repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the faults in their order and start nothing.")
    ] = False,
) -> None:
    """Inject faults into every side under the same traffic, and report what came of it.

    Without PLAN the plans are listed. Every side gets a fresh stack, which Locust drives while
    faults come and go by the plan's schedule; every call and every fault is written to a history.
    Afterwards every job is looked up, the history is checked (`testbed check` does that alone), and
    jobs lost, time without service and recovery are put side by side. Results go to
    results/faults-<name>/<UTC>; docs/faults.md explains plans, docs/under-faults.md the figures.

    Ends with 1 if a side broke its promises or did not become healthy, with 2 if the plan cannot
    be run, with 130 after Ctrl-C; nothing is left running.
    """
    home = stacks.project_root()
    if plan is None:
        _list(home)
        return
    changes = plan_reader.changes_from(settings or [])
    checked = runner.read(home, plan, changes | ({"sides": sides} if sides else {}))
    if dry_run:
        _show(checked)
        return
    raise typer.Exit(run_plan(checked, home))


def run_plan(plan: FaultPlan, home: Path) -> int:
    """Run a plan, report on it and return the exit code."""
    runner.check(plan, home)
    origin = provenance.collect(home, ("testbed", *sys.argv[1:]), plan.deployments())
    folder = outputs.new_folder(home / "results", f"faults-{plan.name}")
    interrupts = Interrupts(console.note_still_stopping)
    console.note(f"Raw data: {folder}. Ctrl-C stops it and keeps what there is.")
    ended, kept = session.FaultRunEnd("interrupted"), False
    with interrupts.installed(), contextlib.suppress(Interrupted):
        ended = runner.run_plan(plan, home, folder, origin, interrupts)
        with interrupts.shield():
            kept = _report(folder)
            _closing(folder, ended, kept)
    if interrupts.happened:
        return INTERRUPT_EXIT
    if ended.system_error:
        return ERROR_EXIT
    return 0 if kept and not ended.stopped else 1


def _report(folder: Path) -> bool:
    """Check what was recorded, write the files and print the figures; say if promises were kept."""
    with console.working("checking what was recorded") as on_progress:
        found = outcome.write(folder, on_progress)
    if found.figures:
        console.out.print(terminal(found.figures))
    if any(each.seconds >= LONG for each in found.figures):
        console.out.print(drift.table(found.drifts))
    for each in found.unfinished:
        console.out.print(Text(each, style="bold red"))
    return found.kept


def _closing(folder: Path, ended: session.FaultRunEnd, kept: bool) -> None:
    lines = [f"Report: {shlex.quote(str(folder))}/{{{REPORT},{FAULTS_CSV},{FAULTS_JSON}}}"]
    if ended.stopped:
        lines.insert(0, f"Stopped: {ended.stopped.partition(chr(10))[0]}")
        lines.append("        Nothing is left running.")
    else:
        link = outputs.point_latest(folder)
        lines.append(f"        {link} points there. Nothing is left running.")
    if not kept:
        lines += [
            f"        To check a history again: {hints.command('testbed', 'check', each.parent)}"
            for each in sorted(folder.glob(f"trials/*/{TRIAL}"))
        ]
    console.out.print()
    for line in lines:
        console.out.print(Text(line), soft_wrap=True)


def _list(home: Path) -> None:
    """Print the plans that there are."""
    table = Table(box=None, pad_edge=False)
    for column in ("plan", "faults", "takes"):
        table.add_column(column, justify="left" if column == "plan" else "right", no_wrap=True)
    table.add_column("what it is for")
    for path in sorted((home / FOLDER).glob("*.toml")):
        plan = runner.read(home, path.stem, {})
        count = max(len(plan.schedule(each)) for each in plan.deployments())
        seconds = sum(session.phases(plan).values()) * len(plan.sides)
        table.add_row(path.stem, str(count), progress.minutes(seconds), plan.about)
    console.out.print(table)


def _show(plan: FaultPlan) -> None:
    """Print every fault of every side."""
    table = Table(box=None, pad_edge=False)
    table.add_column("fault", justify="right")
    schedules = [plan.schedule(each) for each in plan.deployments()]
    for side in plan.sides:
        table.add_column(title(side))
    for index in range(max(map(len, schedules))):
        cells = [schedule[index].title if index < len(schedule) else "" for schedule in schedules]
        table.add_row(str(index + 1), *cells)
    console.out.print(table)
