"""``testbed run``: runs a plan, or goes on with one that was interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from testbed.cli import options
from testbed.drive import plan_reader
from testbed.drive.plan_reader import PlanSource
from testbed.errors import TestbedError
from testbed.record import files
from testbed.report import console, progress
from testbed.runs.compare import overrides, planfile, resume, schedule
from testbed.runs.compare import run as runner
from testbed.runs.compare.plan import Plan
from testbed.stack import records as stacks
from testbed.stack.sides.side import labels

_EPILOG = """
[bold]Examples[/]

testbed run baseline                               a ready plan, by its name

testbed run my/plan.toml --dry-run                 what it would do, and how long that takes

testbed run aa b b                                 with other sides: B against itself

testbed run concurrency --set users=5,50 --set duration=10

testbed run --resume results/baseline/20261122T061500Z
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", epilog=_EPILOG)(run)


def run(
    plan: Annotated[
        str | None,
        typer.Argument(
            help="Name of a plan in experiments/, or a path that ends in .toml.", show_default=False
        ),
    ] = None,
    sides: options.Sides = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a key of the plan: blocks=3, users=5,10 (a factor), stop.half_width=0.1. "
            "Repeatable.",
        ),
    ] = None,
    resume_: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="DIR",
            resolve_path=True,
            help="Go on with the experiment in DIR: valid trials are kept, the same schedule goes "
            "on. Without PLAN it is the plan that is recorded there.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Resume although plan, code or machine are not the same."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the schedule and start nothing.")
    ] = False,
    stop_at_failure: Annotated[
        bool,
        typer.Option(
            "--stop-at-failure", help="Stop at the first trial that fails twice, or is void twice."
        ),
    ] = False,
) -> None:
    """Run a plan: trials of all sides in mirrored random order, block by block.

    Every trial starts a fresh stack, drives it with Locust, looks up every accepted job and stops
    the stack. A trial that fails or is void is recorded with its reason and run once more. Results
    go to results/<name>/<UTC>; docs/experiments.md explains plans and files.

    Ends with 1 if a trial stays failed or void, or a threshold of the plan is not met; with 2 if
    the plan cannot be run; with 130 after Ctrl-C, and then --resume goes on.
    """
    earlier = resume.read(resume_) if resume_ else None
    recorded_in = (resume_ or Path()) / files.EXPERIMENT
    changes = plan_reader.changes_from(settings or [])
    named = {key: f"--set {key}" for key in changes}
    if sides:
        changes["sides"], named["sides"] = list(sides), f"sides {' '.join(sides)}"
    checked = _plan(plan, changes, named, earlier, recorded_in)
    if dry_run:
        show_schedule(checked)
        return
    raise typer.Exit(
        runner.run_plan(
            checked, keep_going=not stop_at_failure, folder=resume_, earlier=earlier, force=force
        )
    )


def _plan(
    name: str | None,
    changes: Mapping[str, Any],
    named: Mapping[str, str],
    earlier: dict[str, object] | None,
    source: Path,
) -> Plan:
    """Return the named plan, or the ``earlier`` one that ``source`` has, with ``changes``.

    ``named`` says for each of their keys how it was given.
    """
    home = stacks.project_root()
    if name is not None:
        path = plan_reader.find(home / planfile.FOLDER, name)
        data, file = plan_reader.load(path), str(path)
    elif earlier is not None:
        recorded = earlier["plan"]
        assert isinstance(recorded, dict)
        # What a reader of the results wants beside the plan itself.
        data = {key: each for key, each in recorded.items() if key != "titles"}
        file = str(source)
    else:
        raise TestbedError(
            "which plan? none is named", "testbed plans lists them; testbed run quick runs one"
        )
    data = overrides.apply(data, changes)
    if isinstance(data.get("faults"), str):
        data["faults"] = plan_reader.resolved(data["faults"])
    return planfile.parse(data, PlanSource(file, named), runner.kinds())


def show_schedule(plan: Plan) -> None:
    """Print every trial in its order."""
    trials = schedule.make(plan)
    table = Table(box=None, pad_edge=False)
    for column in ("trial", "block", "side", "cell", "seed"):
        table.add_column(column, justify="right" if column in {"trial", "seed"} else "left")
    for each in trials:
        levels = ", ".join(f"{name}={level}" for name, level in each.cell.factors.items())
        label = labels(each.cell.sides)[each.side]
        table.add_row(str(each.number), str(each.block), label, levels, str(each.traffic.seed))
    console.out.print(table)
    stop = (
        f"; a cell stops early, after {plan.stop.min_blocks} blocks or more, once "
        f"{', '.join(plan.stop.metrics)} are known to {plan.stop.half_width:.0%}"
        if plan.stop
        else ""
    )
    console.out.print(
        Text(
            f"\n{plan.name}: {len(trials)} trials in {plan.blocks} blocks, about "
            f"{progress.minutes(plan.seconds())}{stop}"
        )
    )
