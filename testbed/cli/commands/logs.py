"""``testbed logs``: prints what processes have logged."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TextIO

import typer

from testbed.cli.named import design_of
from testbed.errors import TestbedError
from testbed.report import console
from testbed.stack import designs, runtimes
from testbed.stack import records as stacks
from testbed.stack.runtimes import Runtime

_POLL = 0.5
_EPILOG = """
[bold]Examples[/]

testbed logs a                   all processes of design A, one after the other

testbed logs a coordinator -f    one process, as it goes on
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Stacks", epilog=_EPILOG)(logs)


def logs(
    design: Annotated[
        str, typer.Argument(help="Which design, or the side that it was started as.")
    ],
    process: Annotated[str | None, typer.Argument(help="Which process; all if left out.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C; one process only.")
    ] = False,
) -> None:
    """Print the logs of a stack: the one that is up, or the last one that was."""
    design = design_of(design)
    runtime = _runtime(design)
    runtime.save_logs(design)
    files = {path.stem: path for path in sorted(stacks.log_file(design, "x").parent.glob("*.log"))}
    if not files:
        raise TestbedError(f"design {design} has no logs", f"designs: {', '.join(designs.names())}")
    if process is not None and process not in files:
        raise TestbedError(
            f"design {design} has no log of {process!r}", f"processes: {', '.join(files)}"
        )
    if follow and process is None:
        raise TestbedError("--follow needs a process", f"one of: {', '.join(files)}")
    for name in files if process is None else [process]:
        _print(name, files[name], process is None)
    if follow and process is not None:
        _follow(files[process], lambda: runtime.save_logs(design))


def _runtime(design: str) -> Runtime:
    record = stacks.load(design)
    return runtimes.get(record.runtime if record else runtimes.DEFAULT)


def _print(name: str, path: Path, title: bool) -> None:
    if title:
        console.out.print(f"─── {name} ───", markup=False)
    with path.open(encoding="utf-8", errors="replace") as file:
        _copy(file)


def _follow(path: Path, refresh: Callable[[], None]) -> None:
    with path.open(encoding="utf-8", errors="replace") as file:
        file.seek(0, os.SEEK_END)
        while True:
            time.sleep(_POLL)
            refresh()
            _copy(file)


def _copy(file: TextIO) -> None:
    while chunk := file.read(65536):
        console.out.out(chunk, end="", highlight=False)
