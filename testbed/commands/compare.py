"""``testbed compare``: both designs under the same traffic, side by side."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from common.handlers import registry
from testbed import console, designs, runtimes, stacks
from testbed.analysis.comparison import Comparison
from testbed.analysis.comparison import compare as compare_recorded
from testbed.experiment import session
from testbed.experiment.interrupts import Interrupted, Interrupts
from testbed.experiment.load import Locust, run_seconds
from testbed.experiment.pace import Pace
from testbed.experiment.plan import Plan, Traffic, check, parse_designs
from testbed.experiment.stacks import RuntimeStacks, check_fresh, others_up
from testbed.experiment.trial import AUDIT, DOWN, DRIVE, UP, Tools
from testbed.recording import provenance
from testbed.recording.reader import read_experiment
from testbed.report import progress, terminal
from testbed.report.files import COMPARISON_CSV, COMPARISON_JSON, TRIALS_CSV, write_all

INTERRUPTED_CODE = 130
UP_SECONDS, DRIVE_OVERHEAD, AUDIT_SECONDS, DOWN_SECONDS = 3.0, 3.0, 1.0, 2.0

_PLAN = Plan()
_TRAFFIC = Traffic()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


def compare(
    designs_: Annotated[
        str,
        typer.Option(
            "--designs",
            help="The two designs to compare. The same one twice, a,a, shows how far two runs of "
            "equal things differ on this machine.",
        ),
    ] = "a,b",
    rounds: Annotated[
        int,
        typer.Option(
            help="Rounds; each runs both designs once, and the next turns their order round. The "
            "spread between rounds is what tells an effect from noise."
        ),
    ] = _PLAN.rounds,
    users: Annotated[
        int, typer.Option(help="Users of the closed loop, each with one call in flight at most.")
    ] = _TRAFFIC.users,
    duration: Annotated[
        float, typer.Option(help="Seconds that are measured in each trial.")
    ] = _TRAFFIC.duration,
    warmup: Annotated[
        float, typer.Option(help="Seconds driven before those, and discarded.")
    ] = _TRAFFIC.warmup,
    mix: Annotated[
        str,
        typer.Option(help="Weights of the calls that a user makes, as Locust's --mix."),
    ] = _TRAFFIC.mix,
    kind: Annotated[
        str, typer.Option(help="Kind of the jobs: sleep, spin, noop, word_count and so on.")
    ] = _TRAFFIC.kind,
    job_ms: Annotated[
        float, typer.Option(help="Milliseconds of a job that sleeps or spins.")
    ] = _TRAFFIC.job_ms,
    payload_bytes: Annotated[
        int, typer.Option(help="Bytes of payload of the kinds that read one.")
    ] = _TRAFFIC.payload_bytes,
    deadline: Annotated[
        float, typer.Option(help="Deadline of every call, in seconds.")
    ] = _TRAFFIC.deadline,
    think_time: Annotated[
        float,
        typer.Option(
            help="Mean pause of a user between two calls, in seconds. With 0 the users ask as fast "
            "as they are answered, and two cores are soon full."
        ),
    ] = _TRAFFIC.think_time,
    seed: Annotated[
        int, typer.Option(help="Seed of the traffic; every trial uses the same one.")
    ] = _TRAFFIC.seed,
    slots: Annotated[
        int, typer.Option(help="Jobs that each design can run at a time, all in all.")
    ] = _PLAN.slots,
    name: Annotated[str, typer.Option(help="Results go to results/<name>/<UTC>.")] = _PLAN.name,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on with the next trial after a failed one.")
    ] = False,
) -> None:
    """Compare two designs under the same traffic.

    Every trial starts a fresh stack, drives it with Locust, discards the warm-up, then looks up
    every accepted job until it is terminal and stops the stack. The designs take turns. Prints the
    figures of each, and their ratio within each round; writes them with the raw data and where
    they come from to results/<name>/<UTC>, to which results/latest points.

    Ends with 1 if a trial failed or an accepted job was lost, with 130 after Ctrl-C; either way
    nothing is left running and what was measured is kept.
    """
    traffic = Traffic(
        users=users,
        duration=duration,
        warmup=warmup,
        mix=mix,
        kind=kind,
        job_ms=job_ms,
        payload_bytes=payload_bytes,
        deadline=deadline,
        think_time=think_time,
        seed=seed,
    )
    chosen = parse_designs(designs_)
    plan = Plan(
        chosen,
        rounds,
        slots,
        name,
        keep_going,
        traffic=traffic,
        titles={each: designs.load(each).title for each in chosen if each in designs.DESIGNS},
    )
    raise typer.Exit(run(plan))


def run(plan: Plan) -> int:
    """Carry out a comparison and return the exit code.

    Raises :class:`TestbedError` if it cannot start; then nothing was started or written.
    """
    home = stacks.project_root()
    load = Locust(home / "locustfiles" / "mixed.py", plan.traffic)
    check(plan, designs.names(), registry.load().names())
    check_fresh(plan.designs, plan.slots)
    load.check(home)
    origin = provenance.collect(home, ("testbed", *sys.argv[1:]))
    folder = session.new_folder(home / "results", plan.name)
    _opening(plan, origin, folder)
    interrupts = Interrupts(lambda: _say("still stopping, a few seconds more"))
    trials = 2 * plan.rounds
    pace = Pace(trials, _planned(plan), time.monotonic)
    with interrupts.installed(), contextlib.suppress(Interrupted):
        with progress.shown(console.err, pace, trials) as told:
            control = RuntimeStacks(runtimes.get(), told)
            tools = Tools(control, load, told, interrupts, home)
            ended = session.run(plan, origin, folder, tools)
        with interrupts.shield():
            comparison = report(folder)
            _closing(folder, ended)
    if interrupts.happened:
        return INTERRUPTED_CODE
    return 0 if comparison.complete else 1


def report(folder: Path) -> Comparison:
    """Analyse what is recorded in ``folder``, write the result's files there and print it."""
    recorded = read_experiment(folder)
    comparison = compare_recorded(recorded)
    write_all(folder, comparison, recorded.plan, recorded.provenance)
    if comparison.trials:
        terminal.show(console.out, comparison, recorded.plan)
    return comparison


def _planned(plan: Plan) -> dict[str, float]:
    return {
        UP: UP_SECONDS,
        DRIVE: run_seconds(plan.traffic) + DRIVE_OVERHEAD,
        AUDIT: AUDIT_SECONDS,
        DOWN: DOWN_SECONDS,
    }


def _opening(plan: Plan, origin: Mapping[str, Any], folder: Path) -> None:
    seconds = 2 * plan.rounds * sum(_planned(plan).values())
    _say(
        f"Comparing {' and '.join(each.upper() for each in plan.designs)}, {plan.rounds} rounds, "
        f"about {progress.minutes(seconds)}. Ctrl-C stops it and keeps what there is."
    )
    _say(f"Raw data: {folder}")
    if note := terminal.busy_note(origin["machine"]):
        _say(note)
    for other in others_up(plan.designs):
        _say(f"note  design {other.upper()} is up and shares the machine; testbed down {other}")


def _closing(folder: Path, ended: session.Ended) -> None:
    """Say where the result is; ``results/latest`` moves on only if all trials ran."""
    lines = [f"Report: {folder}/{{{COMPARISON_JSON},{COMPARISON_CSV},{TRIALS_CSV}}}"]
    if ended.stopped:
        reason = ended.stopped.partition("\n")[0]
        lines.insert(0, f"Stopped after {ended.trials} trials: {reason}")
        lines.append("        Nothing is left running.")
    else:
        link = session.point_latest(folder)
        lines.append(f"        {link} points there. Nothing is left running.")
    console.out.print()
    for line in lines:
        console.out.print(Text(line))


def _say(line: str) -> None:
    console.err.print(Text(line))
