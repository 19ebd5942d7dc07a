"""Options of the command line that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from testbed.errors import TestbedError
from testbed.stack import runtimes
from testbed.stack.spec import Budget, StackSpec

_SIZE = "Size of a stack"
_FAULTS = "Fault injection"

Runtime = Annotated[
    str,
    typer.Option(help=f"Where stacks run: {', '.join(runtimes.RUNTIMES)}.", rich_help_panel=_SIZE),
]
Slots = Annotated[
    int, typer.Option(help="Jobs that a stack runs at a time, all in all.", rich_help_panel=_SIZE)
]
Workers = Annotated[
    int,
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
    given = _settings(settings or [])
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


def _settings(pairs: list[str]) -> dict[str, str]:
    """Read ``KEY=VALUE`` pairs. Raises :class:`TestbedError` for anything else."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key or not value:
            raise TestbedError(f"--set {pair}: not KEY=VALUE", "for example --set lease=3")
        if key in found:
            raise TestbedError(f"--set {pair}: {key} is given twice")
        found[key] = value
    return found
