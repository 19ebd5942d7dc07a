"""Options of the command line that several commands have.

Those that are generic leave their type to the command: one that changes a plan has ``None`` as
default, for the value of the plan, and one that has no plan a value of its own.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import typer
from rich.markup import escape

from common.stack_spec import Budget, StackSpec
from testbed.drive.key_values import read_key_values
from testbed.drive.traffic import CLIENTS
from testbed.errors import TestbedError
from testbed.stack import runtimes
from testbed.stack.sides.side import GRAMMAR

_SIZE = "Size of a stack"
TRAFFIC = "Traffic"
_FAULTS = "Fault injection"
T = TypeVar("T")

Sides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SIDE]...",
        help="What to measure, the reference first: "
        f"{escape(GRAMMAR)}. The same one twice shows how far two runs of equal things differ on "
        "this machine. `testbed sides` explains how one is written.",
        show_default=False,
    ),
]

Mix = Annotated[
    T,
    typer.Option(
        help="Weights of the calls that a user makes, as Locust's --mix.", rich_help_panel=TRAFFIC
    ),
]
Kind = Annotated[
    T,
    typer.Option(
        help="Kind of the jobs: sleep, spin, noop, word_count and so on.", rich_help_panel=TRAFFIC
    ),
]
JobMs = Annotated[
    T,
    typer.Option(help="Milliseconds of a job that sleeps or spins.", rich_help_panel=TRAFFIC),
]
Client = Annotated[
    T,
    typer.Option(
        metavar="|".join(CLIENTS),
        help="What makes the calls in Locust: a transport for gevent, or grpcio with its threads.",
        rich_help_panel=TRAFFIC,
    ),
]
Warmup = Annotated[
    T,
    typer.Option(
        help="Seconds driven before those that are measured, and discarded.",
        rich_help_panel=TRAFFIC,
    ),
]
# What only `testbed compare` has, which changes a plan.
Users = Annotated[
    int | None,
    typer.Option(
        help="Users of the closed loop, each with one call in flight at most.",
        rich_help_panel=TRAFFIC,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        help="Calls per second of an open loop, instead of users who wait.",
        rich_help_panel=TRAFFIC,
    ),
]
Duration = Annotated[
    float | None,
    typer.Option(help="Seconds that are measured in each trial.", rich_help_panel=TRAFFIC),
]
PayloadBytes = Annotated[
    int | None,
    typer.Option(help="Bytes of payload of the kinds that read one.", rich_help_panel=TRAFFIC),
]
Deadline = Annotated[
    float | None,
    typer.Option(help="Deadline of every call, in seconds.", rich_help_panel=TRAFFIC),
]
ThinkTime = Annotated[
    float | None,
    typer.Option(
        help="Mean pause of a user between two calls, in seconds. With 0 the users ask as fast as "
        "they are answered, and two cores are soon full.",
        rich_help_panel=TRAFFIC,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        help="Seed of the traffic of the first block, and of the order.", rich_help_panel=TRAFFIC
    ),
]

Runtime = Annotated[
    T,
    typer.Option(help=f"Where stacks run: {', '.join(runtimes.RUNTIMES)}.", rich_help_panel=_SIZE),
]
Slots = Annotated[
    T, typer.Option(help="Jobs that a stack runs at a time, all in all.", rich_help_panel=_SIZE)
]
Workers = Annotated[
    T,
    typer.Option(
        help="Worker processes over which design A shares out the slots; the nodes of design B "
        "are their own workers.",
        rich_help_panel=_SIZE,
    ),
]
Cpus = Annotated[
    float | None,
    typer.Option(
        help=f"Cores that all processes of a stack may use together, each an equal part "
        f"(containers only; {Budget.cpus:g} there).",
        rich_help_panel=_SIZE,
        show_default=False,
    ),
]
MemoryMib = Annotated[
    int | None,
    typer.Option(
        help=f"MiB of memory that all processes of a stack may use together (containers only; "
        f"{Budget.memory_mib} there).",
        rich_help_panel=_SIZE,
        show_default=False,
    ),
]

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of every process; repeatable."),
]

Links = Annotated[
    bool,
    typer.Option(
        "--links",
        help="Let calls within the stack go through a proxy that `testbed fault` can have lose, "
        "delay and repeat them.",
        rich_help_panel=_FAULTS,
    ),
]
Clock = Annotated[
    bool,
    typer.Option(
        "--clock",
        help="Let `testbed fault` set the wall clock of each process (local processes only).",
        rich_help_panel=_FAULTS,
    ),
]


def stack_spec(
    slots: int,
    workers: int,
    cpus: float | None,
    memory_mib: int | None,
    settings: list[str] | None,
    links: bool = False,
    clock: bool = False,
) -> StackSpec:
    """Return what the options say of a stack. Raises :class:`TestbedError` for impossible ones."""
    given = read_key_values(settings or [], "lease=3")
    return StackSpec(slots, workers, budget(cpus, memory_mib), given, links, clock)


def budget(cpus: float | None, memory_mib: int | None) -> Budget | None:
    """Return what the options say, ``None`` if neither is given.

    Raises :class:`TestbedError` for an impossible value.
    """
    if cpus is None and memory_mib is None:
        return None
    if cpus is not None and not 0 < cpus <= 1024:
        raise TestbedError(f"--cpus {cpus:g}: must be above 0 and at most 1024")
    if memory_mib is not None and not 96 <= memory_mib <= 1 << 20:
        raise TestbedError(f"--memory-mib {memory_mib}: must be from 96 to {1 << 20}")
    return Budget(
        Budget.cpus if cpus is None else cpus,
        Budget.memory_mib if memory_mib is None else memory_mib,
    )
