"""``testbed up``: starts a stack."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Annotated

import typer

from common.stack_spec import DEFAULT_SLOTS
from testbed import CHECKOUT, hints
from testbed.cli import options
from testbed.drive.interrupts import Interrupts
from testbed.errors import TestbedError
from testbed.report import console
from testbed.report.surroundings import make_ready
from testbed.stack import designs, prometheus, runtimes
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Progress
from testbed.stack.sides.resolve import started
from testbed.stack.sides.side import title

_OBSERVABLE = "local"
_IN_CONTAINERS = CHECKOUT / "compose" / "observability.yaml"

_EPILOG = """
[bold]Examples[/]

testbed up a                                   six microservices

testbed up b --slots 24                        six nodes that run four jobs each

testbed up a --workers 3 --runtime compose     three workers of four slots each, in containers

testbed up a+lease=3+log_level=DEBUG           with other settings; testbed options lists them

testbed up a --observe                         and a Prometheus that watches it

testbed up a --links                           one that `testbed fault` can cut in two
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Stacks", epilog=_EPILOG)(up)


def up(
    side: Annotated[
        str,
        typer.Argument(
            help=f"What to start: a design ({', '.join(designs.names())}), with options and a "
            "revision if so wanted, such as a+lease=10; `testbed sides` explains it.",
            metavar="SIDE",
        ),
    ],
    slots: options.Slots[int] = DEFAULT_SLOTS,
    workers: options.Workers[int] = 1,
    cpus: options.Cpus = None,
    memory_mib: options.MemoryMib = None,
    settings: options.Settings = None,
    links: options.Links = False,
    clock: options.Clock = False,
    runtime: Annotated[
        str,
        typer.Option(
            help=f"Where it runs: {', '.join(runtimes.RUNTIMES)}, or {runtimes.AUTO}, which is "
            "containers where an engine answers, and local processes where none does."
        ),
    ] = runtimes.AUTO,
    observe: Annotated[
        bool, typer.Option("--observe", help="Also start a Prometheus, one for all local stacks.")
    ] = False,
) -> None:
    """Start a stack and wait until every process of it serves.

    Both designs may be up at once. If anything goes wrong, nothing is left running.
    """
    base = options.stack_spec(slots, workers, cpus, memory_mib, settings, links, clock)
    base = replace(base, runtime=runtimes.choose(runtime))
    make_ready([side], base.runtime)
    deployment = started(side, base, "testbed up")
    topology, spec, where = deployment.topology, deployment.spec, deployment.spec.runtime
    if workers > 1 and not topology.is_scalable:
        raise TestbedError(
            f"design {topology.design} has no workers to scale: each of its processes runs its own "
            "jobs",
            "--slots adds slots to them",
        )
    if observe and where != _OBSERVABLE:
        raise TestbedError(
            f"--observe starts a Prometheus for local processes, and this stack is for {where}",
            "give --runtime local (RUNTIME=local), or leave --observe out and start the one in "
            f"containers: docker compose -f {hints.path(_IN_CONTAINERS)} up --detach",
        )
    chosen = runtimes.get(where)
    begun = time.monotonic()
    # SIGTERM and SIGHUP clean up just as Ctrl-C does; a second Ctrl-C does not cut that short.
    with (
        Interrupts().installed(),
        console.working(f"starting {title(str(deployment))}") as progress,
    ):
        watching = _observe(progress) if observe else ""
        try:
            record = chosen.up(topology, spec, progress)
        except BaseException:
            if observe and not stacks.recorded():
                prometheus.stop()
            raise
    _show(record, topology.title, time.monotonic() - begun, watching)


def _observe(progress: Progress) -> str:
    """Start Prometheus unless it runs; return where it answers."""
    progress("Prometheus")
    return prometheus.url(prometheus.start())


def _show(record: StackRecord, words: str, seconds: float, watching: str) -> None:
    metrics = ", ".join(f"{name} {address}" for name, address in record.metrics.items()) or "-"
    settings = "".join(f", {key}={value}" for key, value in record.settings.items())
    console.out.print(
        f"{title(record.side)} ({words}) is up after {seconds:.1f} s, "
        f"{record.capacity}{settings}, {runtimes.TITLES[record.runtime]}",
        markup=False,
    )
    console.out.print(f"  endpoints  {', '.join(record.endpoints)}", markup=False)
    console.out.print(f"  metrics    {metrics}", markup=False)
    if watching:
        console.out.print(f"  Prometheus {watching}", markup=False)
    locustfile = os.path.relpath(stacks.project_root() / "locustfiles" / "mixed.py")
    console.out.print(f"next: {hints.command('locust', '-f', locustfile)}", markup=False)
