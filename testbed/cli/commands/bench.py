"""``testbed bench``: what a submit and a no-op job cost, against a server that does nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import replace
from typing import Annotated

import typer
from rich.text import Text

from common.stack_spec import DEFAULT_RUNTIME
from testbed.cli import options
from testbed.drive import outputs, provenance
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.pace import Pace
from testbed.drive.stacks import RuntimeStacks, require_startable
from testbed.errors import INTERRUPT_EXIT
from testbed.report import console, progress
from testbed.report.surroundings import make_ready, note_surroundings
from testbed.runs.bench import report, session
from testbed.runs.bench.session import BenchPlan
from testbed.stack import records as stacks
from testbed.stack.sides.resolve import checked
from testbed.stack.sides.side import labels

NAME = "bench"
QUICK = BenchPlan(
    rounds=1,
    seconds=1.0,
    warmup=0.3,
    idle_seconds=2.0,
    memory_jobs=1000,
    owner_jobs=(1000, 10_000),
)
_PLAN = BenchPlan()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(NAME)(bench)


def bench(
    sides: options.Sides = None,
    rounds: Annotated[
        int,
        typer.Option(
            min=1, max=100, help="Rounds; each measures the echo server and every side once."
        ),
    ] = _PLAN.rounds,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=60, help="Seconds of submitting in each measurement.")
    ] = _PLAN.seconds,
    callers: Annotated[
        int, typer.Option(min=1, max=1000, help="Callers at a time, each with one call in flight.")
    ] = _PLAN.callers,
    memory_jobs: Annotated[
        int,
        typer.Option(
            min=0, max=100_000, help="Jobs over which memory per job is measured; 0 leaves it out."
        ),
    ] = _PLAN.memory_jobs,
    idle_seconds: Annotated[
        float, typer.Option(min=1, max=600, help="Seconds over which idle CPU is measured.")
    ] = _PLAN.idle_seconds,
    slots: options.Slots[int] = _PLAN.slots,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A few seconds of everything: shows that it works, no more."),
    ] = False,
) -> None:
    """Measure submit calls and no-op jobs of each side against a bare echo server.

    Everything is up at the same time and driven in turn, so that a change of the machine's speed
    meets all alike; the ratio to the echo server is what can be compared between machines. Also
    measures memory per finished job and CPU while idle. Takes about three minutes and writes
    results/bench/<UTC>/bench.json.
    """
    named = tuple(map(checked, sides or _PLAN.sides))
    if quick:
        raise typer.Exit(run(replace(QUICK, sides=named, callers=callers, slots=slots)))
    plan = BenchPlan(
        named,
        rounds,
        seconds,
        callers=callers,
        idle_seconds=idle_seconds,
        memory_jobs=memory_jobs,
        slots=slots,
    )
    raise typer.Exit(run(plan))


def run(plan: BenchPlan) -> int:
    """Run a bench and return the exit code. Raises :class:`TestbedError`."""
    home = stacks.project_root()
    make_ready(plan.sides, DEFAULT_RUNTIME)
    deployments = plan.deployments()
    require_startable(deployments)
    origin = provenance.collect(home, ("testbed", *sys.argv[1:]), deployments)
    folder = outputs.new_folder(home / "results", NAME)
    phases = plan.phases()
    console.note(
        f"Measuring {' and '.join(labels(plan.sides))} against an echo "
        f"server, about {progress.minutes(sum(phases.values()))}. Raw data: {folder}"
    )
    note_surroundings(origin["machine"], plan.sides)
    interrupts = Interrupts()
    with interrupts.installed(), contextlib.suppress(Interrupted):
        pace = Pace(1, phases, time.monotonic)
        with progress.shown(console.err, pace, 1) as display:
            control = RuntimeStacks(display)
            result, owner = session.run(plan, folder, control, interrupts, display)
        path = report.write(folder, plan, origin, result, owner)
        console.out.print(report.table(result))
        console.out.print()
        console.out.print(report.owner_table(owner))
        console.out.print(Text(f"\n{report.explanation(plan)}\n\nReport: {path}"))
        return 0
    console.note(f"interrupted; nothing is left running, raw data is in {folder}")
    return INTERRUPT_EXIT
