"""``testbed capacity``: the highest rate at which each design holds a stated objective."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from common.handlers import registry
from testbed.cli import options
from testbed.drive import outputs, provenance
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.load import Locust
from testbed.drive.pace import Pace
from testbed.drive.stacks import RuntimeStacks, check_fresh
from testbed.drive.timed import TimedLoad
from testbed.drive.traffic import Traffic
from testbed.drive.trial import AUDIT, DOWN, DRIVE, UP, Tools
from testbed.errors import INTERRUPT_EXIT, TestbedError
from testbed.report import console, progress
from testbed.report.surroundings import note_surroundings
from testbed.runs.capacity import plan as planning
from testbed.runs.capacity import report, session, slo
from testbed.runs.capacity.drive import TrialDriver
from testbed.runs.capacity.plan import CapacityPlan
from testbed.runs.capacity.search import SearchOutcome, SearchPlan
from testbed.runs.capacity.session import CapacityResult
from testbed.runs.compare.plan import AUDIT_SECONDS, DOWN_SECONDS, DRIVE_OVERHEAD, UP_SECONDS
from testbed.stack import designs as known_designs
from testbed.stack import records as stacks
from testbed.stack import runtimes
from testbed.stack.spec import StackSpec

NAME = "capacity"
_PLAN = CapacityPlan()
_SEARCH = SearchPlan()
_QUICK = {"duration": 4.0, "warmup": 1.0}
_QUICK_SEARCH = {"precision": 0.25, "confirmations": 1}
_QUICK_USERS = (1, 2, 4, 8, 16)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(NAME)(capacity)


def capacity(
    designs: Annotated[
        str, typer.Option(help="The designs to measure, with commas between them.")
    ] = ",".join(_PLAN.designs),
    objective: Annotated[
        str,
        typer.Option(
            "--slo",
            help="What has to hold: pNN and METHOD.pNN of response times, errors, completion (p99 "
            "of jobs, submit to finish). That the backlog does not grow is always part of it.",
        ),
    ] = slo.EXAMPLE,
    duration: Annotated[
        float, typer.Option(help="Seconds measured in each step; confirming drives take twice.")
    ] = _PLAN.traffic.duration,
    warmup: Annotated[
        float, typer.Option(help="Seconds driven before those, and discarded.")
    ] = _PLAN.traffic.warmup,
    first: Annotated[
        float, typer.Option(help="Rate to begin with, in calls per second.")
    ] = _SEARCH.first,
    most: Annotated[float, typer.Option(help="Highest rate to try.")] = _SEARCH.most,
    precision: Annotated[
        float, typer.Option(help="How close the rates that hold and do not are to come; 0.1: 10 %.")
    ] = _SEARCH.precision,
    confirmations: Annotated[
        int, typer.Option(help="Confirming drives at a rate; the majority decides.")
    ] = _SEARCH.confirmations,
    users: Annotated[
        str,
        typer.Option(
            help="Users of the closed-loop sweep for the scalability law; empty for no sweep."
        ),
    ] = ",".join(map(str, _PLAN.users)),
    repeats: Annotated[int, typer.Option(help="Drives at each number of users.")] = _PLAN.repeats,
    mix: Annotated[str, typer.Option(help="Weights of the calls.")] = _PLAN.traffic.mix,
    kind: Annotated[str, typer.Option(help="Kind of the jobs.")] = _PLAN.traffic.kind,
    job_ms: Annotated[
        float, typer.Option(help="Milliseconds of a job that sleeps or spins.")
    ] = _PLAN.traffic.job_ms,
    slots: options.Slots = _PLAN.spec.slots,
    workers: options.Workers = 1,
    runtime: options.Runtime = _PLAN.runtime,
    cpus: options.Cpus = None,
    memory_mib: options.MemoryMib = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Short steps, coarse: shows that it works, no more.")
    ] = False,
) -> None:
    """Find the highest rate at which each design holds an objective.

    Open loop, a fresh stack for every step: the rate is doubled until the objective fails, the gap
    is halved until it is small, and both ends are confirmed by longer drives. Then a closed loop
    with 1 to 32 users shows how throughput grows with concurrency, and the Universal Scalability
    Law is fitted to it. If the load generator is at its end before the design, that is reported,
    and no capacity. Writes results/capacity/<UTC>/capacity.json, steps.csv and sweep.csv.

    Ends with 1 if a design has no confirmed figure, with 130 after Ctrl-C; nothing is left running
    and what was found is written either way.
    """
    traffic = Traffic(duration=duration, warmup=warmup, mix=mix, kind=kind, job_ms=job_ms)
    try:
        search = SearchPlan(
            first=first,
            least=min(_SEARCH.least, first),
            most=most,
            precision=precision,
            confirmations=confirmations,
        )
    except ValueError as error:
        raise TestbedError(f"--first, --most, --precision, --confirmations: {error}") from error
    plan = CapacityPlan(
        designs=tuple(name.strip().lower() for name in designs.split(",")),
        slo=slo.parse(objective),
        search=search,
        users=planning.parse_users(users),
        repeats=repeats,
        spec=StackSpec(slots, workers, options.budget(cpus, memory_mib)),
        runtime=runtime,
        traffic=traffic,
    )
    raise typer.Exit(run(quickened(plan) if quick else plan))


def quickened(plan: CapacityPlan) -> CapacityPlan:
    """Return the plan with short steps and a coarse search."""
    return replace(
        plan,
        search=replace(plan.search, **_QUICK_SEARCH),  # type: ignore[arg-type]
        users=tuple(each for each in plan.users if each in _QUICK_USERS),
        repeats=1,
        traffic=replace(plan.traffic, **_QUICK),  # type: ignore[arg-type]
    )


def run(plan: CapacityPlan) -> int:
    """Run a capacity run and return the exit code.

    Raises :class:`TestbedError` if it cannot start; then nothing was started or written.
    """
    home = stacks.project_root()
    planning.check(plan, known_designs.names(), registry.load().names())
    check_fresh(plan.designs, plan.spec)
    locustfile = home / "locustfiles" / "mixed.py"
    Locust(locustfile, replace(plan.traffic, rate=plan.search.first)).check()
    origin = provenance.collect(home, ("testbed", *sys.argv[1:]))
    folder = outputs.new_folder(home / "results", NAME)
    planned = {
        UP: UP_SECONDS,
        DRIVE: plan.traffic.seconds + DRIVE_OVERHEAD,
        AUDIT: AUDIT_SECONDS,
        DOWN: DOWN_SECONDS,
    }
    drives = plan.expected_drives()
    _opening(plan, origin, folder, drives * sum(planned.values()))
    interrupts = Interrupts(console.note_still_stopping)
    result = CapacityResult()
    complete = False
    with interrupts.installed(), contextlib.suppress(Interrupted):
        try:
            pace = Pace(drives, planned, time.monotonic)
            with progress.shown(console.err, pace, drives) as display:
                control = RuntimeStacks(runtimes.get(plan.runtime), display)
                driver = TrialDriver(
                    plan,
                    folder,
                    Tools(control, display, interrupts),
                    lambda traffic: TimedLoad(
                        traffic, Locust(locustfile, traffic), plan.audit_seconds
                    ),
                )
                _drive(plan, driver, result)
                complete = True
        finally:
            with interrupts.shield():
                _closing(plan, origin, folder, result, complete)
    if interrupts.happened:
        return INTERRUPT_EXIT
    named = {SearchOutcome.FOUND, SearchOutcome.AT_LEAST}
    return 0 if all(each.outcome in named for each in result.searches.values()) else 1


def _drive(plan: CapacityPlan, driver: TrialDriver, result: CapacityResult) -> None:
    session.search_all(plan.designs, plan.search, driver, result)
    if plan.users:
        seed = plan.traffic.seed
        session.sweep_all(plan.designs, plan.users, plan.repeats, seed, driver, result)


def _opening(plan: CapacityPlan, origin: dict[str, Any], folder: Path, seconds: float) -> None:
    named = " and ".join(each.upper() for each in plan.designs)
    # The number of steps depends on what they show.
    about = progress.minutes(math.ceil(seconds / 30) * 30)
    console.note(f"Capacity of {named}, about {about}. Ctrl-C stops it and keeps what there is.")
    console.note(f"Objective: {plan.slo.words()}.")
    console.note(f"Raw data: {folder}")
    note_surroundings(origin["machine"], plan.designs)


def _closing(
    plan: CapacityPlan, origin: dict[str, Any], folder: Path, result: CapacityResult, complete: bool
) -> None:
    path = report.write(folder, plan, origin, result, complete)
    if result.steps:
        console.out.print(report.steps_table(result))
    if result.points:
        console.out.print()
        console.out.print(report.sweep_table(plan.designs, result))
    console.out.print()
    for words in report.verdicts(plan, result):
        console.out.print(Text(words))
    if not complete:
        console.out.print(Text("Stopped before its end. Nothing is left running."))
    console.out.print(Text(f"\nReport: {path}"))
