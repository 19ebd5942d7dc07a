"""``testbed bench``: what a submit and a no-op job cost, against a server that does nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer
from rich.text import Text

from common.stack_spec import DEFAULT_RUNTIME
from testbed.cli import options
from testbed.drive import outputs, provenance
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.pace import Pace
from testbed.drive.stacks import RuntimeStacks, ports_kept, require_startable
from testbed.errors import INTERRUPT_EXIT
from testbed.report import console, progress
from testbed.report.surroundings import make_ready, note_surroundings
from testbed.runs.bench import report, session
from testbed.runs.bench.plan import BenchPlan, parse_callers
from testbed.runs.bench.scaling import OwnerCost
from testbed.runs.bench.summary import Change, SubjectFigures, changes, summarize
from testbed.stack import records as stacks
from testbed.stack.sides.resolve import checked
from testbed.stack.sides.side import labels

NAME = "bench"
QUICK = BenchPlan(
    rounds=1,
    seconds=0.5,
    warmup=0.2,
    callers=(1, 16),
    warm_jobs=50,
    idle_seconds=1.0,
    memory_jobs=500,
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
        str | None,
        typer.Option(
            metavar="N[,N]...",
            help="Callers at a time, each with one call in flight; each number is measured by "
            f"itself.  [default: {','.join(map(str, _PLAN.callers))}, with --quick "
            f"{','.join(map(str, QUICK.callers))}]".replace("[", "\\["),
            show_default=False,
        ),
    ] = None,
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

    The sides are driven in turn, in each round the other way round, so that a change of the
    machine's speed meets all alike; the ratio to the echo server is what can be compared between
    machines. Counts who calls whom for each job, which is the same on all of them. Also measures
    memory per finished job and CPU while idle. Several sides of one design, as a@v0.2 and a, are
    held against the first of them. Takes about two minutes a side and writes
    results/bench/<UTC>/bench.json.
    """
    named = tuple(map(checked, sides or _PLAN.sides))
    plan = replace(QUICK if quick else _PLAN, sides=named, slots=slots)
    if callers is not None:
        plan = replace(plan, callers=parse_callers(callers))
    if not quick:
        plan = replace(
            plan,
            rounds=rounds,
            seconds=seconds,
            idle_seconds=idle_seconds,
            memory_jobs=memory_jobs,
        )
    raise typer.Exit(run(plan))


def run(plan: BenchPlan) -> int:
    """Run a bench and return the exit code. Raises :class:`TestbedError`."""
    home = stacks.project_root()
    make_ready(plan.sides, DEFAULT_RUNTIME)
    deployed = plan.deployments()
    deployments = tuple(deployed.values())
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
        with progress.shown(console.err, pace, 1) as display, ports_kept(deployments):
            control = RuntimeStacks(display)
            measured, owner = session.run(plan, folder, control, interrupts, display)
        result = summarize(measured)
        changed = changes(measured, {name: each.design for name, each in deployed.items()})
        path = report.write(folder, plan, origin, result, changed, owner)
        _show(plan, result, changed, owner)
        console.out.print(Text(f"\nReport: {path}"))
        return 0
    console.note(f"interrupted; nothing is left running, raw data is in {folder}")
    return INTERRUPT_EXIT


def _show(
    plan: BenchPlan,
    result: Sequence[SubjectFigures],
    changed: Sequence[Change],
    owner: Sequence[OwnerCost],
) -> None:
    tables = [report.table(result)]
    tables += [report.changes_table(changed)] if changed else []
    tables += [report.hops_table(each) for each in result if any(e.hops for e in each.loads)]
    for each in (*tables, report.owner_table(owner)):
        console.out.print(each)
        console.out.print()
    for paragraph in report.explanation(plan):
        console.out.print(Text(paragraph))
