"""``testbed compare``: sides under the same traffic, beside each other."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from common.options.values import Number
from testbed.cli import options
from testbed.drive import plan_reader
from testbed.drive.key_values import read_key_values
from testbed.drive.plan_reader import PlanError, PlanSource
from testbed.drive.values import hint
from testbed.runs.compare import overrides, planfile
from testbed.runs.compare import run as runner
from testbed.stack import records as stacks

PLAN = "quick"
NAME = "compare"
# Options that have another name than the key of the plan.
_KEYS = {"rounds": "blocks"}
_RATIO = Number(0, 1e6, above=True)
# Options that change no single key.
_APART = ("keep_going", "max_ratio", "min_ratio")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(NAME)(compare)


def compare(
    sides: options.Sides = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            help="Blocks; each runs every side twice, in random order and then in its mirror. What "
            "differs between blocks, and between two trials of one side, is noise."
        ),
    ] = None,
    users: options.Users = None,
    rate: options.Rate = None,
    duration: options.Duration = None,
    warmup: options.Warmup[float | None] = None,
    mix: options.Mix[str | None] = None,
    kind: options.Kind[str | None] = None,
    job_ms: options.JobMs[float | None] = None,
    payload_bytes: options.PayloadBytes = None,
    deadline: options.Deadline = None,
    think_time: options.ThinkTime = None,
    client: options.Client[str | None] = None,
    seed: options.Seed = None,
    slots: options.Slots[int | None] = None,
    workers: options.Workers[int | None] = None,
    runtime: options.Runtime[str | None] = None,
    cpus: options.Cpus = None,
    memory_mib: options.MemoryMib = None,
    faults: Annotated[
        str | None,
        typer.Option(
            help="Name of the fault plan that it ends with (testbed faults lists them); none for "
            "no faults."
        ),
    ] = None,
    declared: Annotated[
        list[str] | None,
        typer.Option(
            "--declare",
            metavar="FACT",
            help="A fact in which the sides may differ although no option says so, such as "
            "durability; repeatable.",
        ),
    ] = None,
    max_ratio: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC=VALUE",
            help="End with 1 if a ratio to the first side is above this, as in "
            "cpu_ms_per_job=1.1; repeatable.",
        ),
    ] = None,
    min_ratio: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC=VALUE", help="The same for a ratio that is below this; repeatable."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Results go to results/<name>/<UTC>.")] = NAME,
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Go on with the next trial after one failed twice."),
    ] = False,
) -> None:
    """Compare sides under the same traffic: the plan experiments/quick.toml.

    Without a SIDE those of the plan, A and B, are compared. Ratios are to the first of them.
    Options change that plan; left out, its own value holds. Every trial starts a fresh stack,
    drives it with Locust, discards the warm-up, then looks up every accepted job until it is
    terminal and stops the stack. In the end faults are injected into the sides, by a fault plan.
    Prints the figures of each side and their ratios with confidence intervals, and what became
    of jobs and service under faults; writes them with the raw data and where they come from to
    results/<name>/<UTC>, to which results/latest points.

    Ends with 1 if a trial stays failed or void, a job was lost or a threshold is not met, with 130
    after Ctrl-C; either way nothing is left running and what was measured is kept.
    """
    given = {key: value for key, value in locals().items() if key not in _APART}
    home = stacks.project_root()
    path = plan_reader.find(home / planfile.FOLDER, PLAN)
    if faults is not None:
        given["faults"] = plan_reader.resolved(faults)
    changes, named = _changes(given)
    data = overrides.apply(plan_reader.load(path), changes)
    data["thresholds"] = [
        *data.get("thresholds", []),
        *_thresholds("max", max_ratio or []),
        *_thresholds("min", min_ratio or []),
    ]
    plan = planfile.parse(data, PlanSource(str(path), named), runner.kinds())
    raise typer.Exit(runner.run_plan(plan, keep_going=keep_going))


def _thresholds(bound: str, pairs: list[str]) -> list[dict[str, Any]]:
    """Return the thresholds of ratios as tables of a plan. Raises :class:`PlanError`."""
    option = f"--{bound}-ratio"
    given = read_key_values(pairs, "cpu_ms_per_job=1.1", PlanError, option)
    for metric, text in given.items():
        if metric not in planfile.METRICS:
            meant = hint(metric, planfile.METRICS)
            raise PlanError(f"{option} {metric}={text}: there is no metric {metric!r}{meant}")
        if problem := _RATIO.problem(text):
            raise PlanError(f"{option} {metric}={text}: {text!r} {problem}")
    return [{"metric": metric, "ratio": True, bound: float(text)} for metric, text in given.items()]


def _changes(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the keys of the plan that the options change, and how each was given."""
    changes: dict[str, Any] = {}
    named: dict[str, str] = {}
    for option, value in given.items():
        if value is None:
            continue
        key = _KEYS.get(option, option)
        changes[key] = value
        named[key] = f"--{option.replace('_', '-')} {value}"
    if given["sides"]:
        named["sides"] = f"sides {' '.join(given['sides'])}"
    else:
        changes.pop("sides", None)
    return changes, named
