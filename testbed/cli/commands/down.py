"""``testbed down``: stops stacks."""

from __future__ import annotations

from typing import Annotated

import typer

from testbed.cli.named import design_of
from testbed.errors import StateError, TestbedError
from testbed.report import console
from testbed.stack import designs, prometheus, runtimes
from testbed.stack import records as stacks
from testbed.stack.runtimes import Progress, Stopped

_ALL = "all"
_EPILOG = """
[bold]Examples[/]

testbed down      everything

testbed down b    design B alone
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Stacks", epilog=_EPILOG)(down)


def down(
    design: Annotated[
        str,
        typer.Argument(
            help=f"Which design: {', '.join([*designs.names(), _ALL])}; or the side that it was "
            "started as."
        ),
    ] = _ALL,
) -> None:
    """Stop a stack, or all of them, and whatever a crash may have left of one.

    Each process may first finish what it is at. Logs stay until the next start. A Prometheus that
    `up --observe` started stops with the last stack.
    """
    design = design_of(design)
    names = sorted({*designs.names(), *stacks.recorded()})
    if design != _ALL and design not in names:
        raise TestbedError(f"there is no design {design!r}", f"known: {', '.join([*names, _ALL])}")
    done = False
    for name in names if design == _ALL else [design]:
        with console.working(f"stopping design {name}") as progress:
            stopped = _down(name, progress)
        done = done or not stopped.nothing
        _show(stopped)
    if not stacks.recorded() and prometheus.stop():
        done = True
        console.out.print("Prometheus is down; what it has stored stays")
    if not done:
        console.out.print("nothing was up")


def _down(name: str, progress: Progress) -> Stopped:
    try:
        record = stacks.load(name)
    except StateError:
        record = None
    if record:
        return runtimes.get(record.runtime).down(name, progress)
    # Without a record, or with a damaged one, whatever is left may be anywhere.
    found = [runtimes.get(each).down(name, progress) for each in runtimes.reachable()]
    return next((each for each in found if not each.nothing), found[0])


def _show(stopped: Stopped) -> None:
    if stopped.nothing:
        return
    parts = []
    if stopped.ended:
        count = len(stopped.ended)
        parts.append(f"{count} process{'es' if count > 1 else ''} stopped")
    if stopped.killed:
        parts.append(f"killed, as they did not stop: {', '.join(stopped.killed)}")
    if stopped.strays:
        parts.append(f"{stopped.strays} stray processes ended")
    if stopped.notice:
        parts.append(stopped.notice)
    console.out.print(f"design {stopped.design} is down: {'; '.join(parts)}", markup=False)
