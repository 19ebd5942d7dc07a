"""``testbed scale``: has nodes join or leave a stack that is up."""

from __future__ import annotations

from typing import Annotated

import typer

from common.options.nodes import FEWEST, MOST
from testbed.cli.named import design_of
from testbed.errors import TestbedError
from testbed.report import console
from testbed.stack import records as stacks
from testbed.stack.runtimes.local import growth
from testbed.stack.runtimes.local.nodes import nodes_of

_EPILOG = """
[bold]Examples[/]

testbed scale b 7              a seventh node joins while traffic goes on

testbed scale b 6 --discard    it leaves again; its finished jobs and their results are given up
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Stacks", epilog=_EPILOG)(scale)


def scale(
    design: Annotated[
        str, typer.Argument(help="Which design, or the side that it was started as.")
    ],
    nodes: Annotated[
        int, typer.Argument(help=f"How many nodes it is to have, {FEWEST} to {MOST}.")
    ],
    discard: Annotated[
        bool,
        typer.Option(
            "--discard",
            help="Let a node that leaves end as soon as its jobs have ended, without waiting until "
            "they have expired; they and their results are lost.",
        ),
    ] = False,
) -> None:
    """Have nodes join or leave a stack that is up, one after the other, while it is called.

    Each node brings its own slots along. Ctrl-C while one leaves keeps it as it is; the same
    command goes on.
    """
    if not FEWEST <= nodes <= MOST:
        raise TestbedError(f"{nodes} nodes: must be from {FEWEST} to {MOST}")
    design = design_of(design)
    record = stacks.load(design)
    if record is None:
        raise TestbedError(f"design {design} is not up", f"start it: testbed up {design}")
    with console.working(f"scaling design {design} to {nodes} nodes") as progress:
        while len(record.endpoints) < nodes:
            record = growth.grow(design, progress)
        while len(nodes_of(record)) > nodes:
            record = growth.shrink(design, discard, progress)
    console.out.print(
        f"design {design} has {nodes} nodes, {record.capacity}: {', '.join(record.endpoints)}",
        markup=False,
    )
