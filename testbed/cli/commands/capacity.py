"""``testbed capacity``: the highest rate at which each design holds a stated objective."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from common.stack_spec import StackSpec
from testbed.cli import options
from testbed.drive.traffic import Traffic
from testbed.errors import TestbedError
from testbed.runs.capacity import plan as planning
from testbed.runs.capacity import run as runner
from testbed.runs.capacity import slo
from testbed.runs.capacity.plan import CapacityPlan
from testbed.runs.capacity.search import SearchPlan
from testbed.stack.sides.resolve import checked

_PLAN = CapacityPlan()
_SEARCH = SearchPlan()
_QUICK = {"duration": 4.0, "warmup": 1.0}
_QUICK_SEARCH = {"precision": 0.25, "confirmations": 1}
_QUICK_USERS = (1, 2, 4, 8, 16)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("capacity")(capacity)


def capacity(
    sides: options.Sides = None,
    objective: Annotated[
        str,
        typer.Option(
            "--slo",
            help="What has to hold: pNN and METHOD.pNN of response times, errors, completion (p99 "
            "of jobs, submit to finish). That the backlog does not grow is always part of it.",
        ),
    ] = slo.EXAMPLE,
    duration: Annotated[
        float,
        typer.Option(
            help="Seconds measured in each step; confirming drives take twice.",
            rich_help_panel=options.TRAFFIC,
        ),
    ] = _PLAN.traffic.duration,
    warmup: options.Warmup[float] = _PLAN.traffic.warmup,
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
    mix: options.Mix[str] = _PLAN.traffic.mix,
    kind: options.Kind[str] = _PLAN.traffic.kind,
    job_ms: options.JobMs[float] = _PLAN.traffic.job_ms,
    client: options.Client[str] = _PLAN.traffic.client,
    slots: options.Slots[int] = _PLAN.spec.slots,
    workers: options.Workers[int] = 1,
    runtime: options.Runtime[str] = _PLAN.spec.runtime,
    cpus: options.Cpus = None,
    memory_mib: options.MemoryMib = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Short steps, coarse: shows that it works, no more.")
    ] = False,
) -> None:
    """Find the highest rate at which each side holds an objective.

    Open loop, a fresh stack for every step: the rate is doubled until the objective fails, the gap
    is halved until it is small, and both ends are confirmed by longer drives. Then a closed loop
    with 1 to 32 users shows how throughput grows with concurrency, and the Universal Scalability
    Law is fitted to it. If the load generator is at its end before the side, that is reported,
    and no capacity. Writes results/capacity/<UTC>/capacity.json, steps.csv and sweep.csv.

    Ends with 1 if a side has no confirmed figure, with 130 after Ctrl-C; nothing is left running
    and what was found is written either way.
    """
    plan = CapacityPlan(
        sides=tuple(map(checked, sides or _PLAN.sides)),
        slo=slo.parse(objective),
        search=_search(first, most, precision, confirmations),
        users=planning.parse_users(users),
        repeats=repeats,
        spec=StackSpec(slots, workers, options.budget(cpus, memory_mib), runtime=runtime),
        traffic=Traffic(
            duration=duration, warmup=warmup, mix=mix, kind=kind, job_ms=job_ms, client=client
        ),
    )
    raise typer.Exit(runner.run_plan(_quickened(plan) if quick else plan))


def _search(first: float, most: float, precision: float, confirmations: int) -> SearchPlan:
    try:
        return SearchPlan(
            first=first,
            least=min(_SEARCH.least, first),
            most=most,
            precision=precision,
            confirmations=confirmations,
        )
    except ValueError as error:
        raise TestbedError(f"--first, --most, --precision, --confirmations: {error}") from error


def _quickened(plan: CapacityPlan) -> CapacityPlan:
    """Return the plan with short steps and a coarse search."""
    return replace(
        plan,
        search=replace(plan.search, **_QUICK_SEARCH),  # type: ignore[arg-type]
        users=tuple(each for each in plan.users if each in _QUICK_USERS),
        repeats=1,
        traffic=replace(plan.traffic, **_QUICK),  # type: ignore[arg-type]
    )
