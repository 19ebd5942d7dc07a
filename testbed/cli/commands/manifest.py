"""``testbed manifest``: writes a topology down for what runs containers."""

from __future__ import annotations

from typing import Annotated

import typer

from common.stack_spec import DEFAULT_SLOTS
from testbed.cli import options
from testbed.errors import TestbedError
from testbed.report import console
from testbed.stack import designs, manifests
from testbed.stack import records as stacks
from testbed.stack.sides.resolve import started

_EPILOG = """
[bold]Examples[/]

testbed manifest b                                       the Compose file of design B

testbed manifest a --workers 3 --cpus 6 > my-a.yaml      one for another size

testbed manifest --write                                 those in the project, after a change
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Stacks", epilog=_EPILOG)(manifest)


def manifest(
    side: Annotated[
        str | None,
        typer.Argument(
            help=f"A design ({', '.join(designs.names())}), with options if so wanted, such as "
            "a+slots=24.",
            metavar="SIDE",
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help=f"For what: {', '.join(manifests.FORMATS)}.")
    ] = next(iter(manifests.FORMATS)),
    slots: options.Slots[int] = DEFAULT_SLOTS,
    workers: options.Workers[int] = 1,
    cpus: options.Cpus = None,
    memory_mib: options.MemoryMib = None,
    settings: options.Settings = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write all manifests in the project, default size.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Fail if one in the project is not what --write writes.")
    ] = False,
) -> None:
    """Print the manifest of a design: its topology for Compose and others of that kind."""
    root = stacks.project_root()
    if write:
        changed = manifests.write(root)
        console.out.print(f"wrote {', '.join(changed)}" if changed else "nothing has changed")
        return
    if check:
        if stale := manifests.stale(root):
            raise TestbedError(
                f"{', '.join(stale)}: not what the topologies say", "run `make generate`"
            )
        return
    if side is None:
        raise TestbedError("which design? none is named", f"one of {', '.join(designs.names())}")
    spec = options.stack_spec(slots, workers, cpus, memory_mib, settings)
    found = started(side, spec, "a manifest")
    text = manifests.get(form).render(found.topology, found.spec)
    console.out.out(text, end="", highlight=False)
