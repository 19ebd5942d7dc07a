"""``testbed plans``: the plans that there are, checked."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

from testbed.drive import plan_reader
from testbed.drive.plan_reader import PlanError, PlanSource
from testbed.errors import TestbedError
from testbed.report import console, progress
from testbed.runs.compare import planfile
from testbed.runs.compare import run as runner
from testbed.runs.compare.plan import Plan
from testbed.stack import records as stacks


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plans")(plans)


def plans() -> None:
    """List the plans in experiments/: what each is for, how many trials, how long.

    Every plan is checked as a whole. Ends with 1 if one cannot be run, and says why.
    """
    folder = stacks.project_root() / planfile.FOLDER
    named = plan_reader.names(folder)
    if not named:
        raise TestbedError(
            f"there is no plan in {folder}", "run this in the project, or set TESTBED_HOME to it"
        )
    good: list[Plan] = []
    problems: list[str] = []
    for path in named:
        try:
            data = plan_reader.load(path)
            good.append(planfile.parse(data, PlanSource(str(path)), runner.kinds()))
        except PlanError as error:
            problems.append(str(error))
    for name in sorted({name for name in named.values() if list(named.values()).count(name) > 1}):
        files = ", ".join(str(path) for path, each in named.items() if each == name)
        problems.append(f"two plans are called {name!r}: {files}")
    _show(good)
    for problem in problems:
        console.err.print(Text(problem, style="red"))
    if problems:
        raise typer.Exit(1)


def _show(good: list[Plan]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("plan", "sides", "cells", "blocks", "trials", "at most"):
        table.add_column(column, justify="left" if column == "plan" else "right", no_wrap=True)
    table.add_column("what it is for")
    for plan in good:
        cells = len(plan.cells())
        table.add_row(
            plan.name,
            str(len(plan.sides)),
            str(cells),
            str(plan.blocks),
            str(plan.trials),
            progress.minutes(plan.seconds()),
            plan.about,
        )
    console.out.print(table)
