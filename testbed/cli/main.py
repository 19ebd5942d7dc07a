"""The ``testbed`` command line. Each command is a module of :mod:`testbed.cli.commands`."""

from __future__ import annotations

import errno
import io
import os
import pkgutil
import sys
import traceback
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import rich_utils
from typer.core import TyperGroup

from testbed.cli import commands
from testbed.errors import ERROR_EXIT, INTERRUPT_EXIT, TestbedError, of_system
from testbed.report import console
from testbed.stack import records as stacks

# Of help that is piped, whatever COLUMNS says.
HELP_WIDTH = 120

_EPILOG = """
[bold]The usual sequence[/]

testbed up a                     start six processes, wait until they serve

testbed status                   what is up, where, is it healthy?

locust -f locustfiles/mixed.py   drive the stack that is up; web UI on http://localhost:8089

testbed down                     stop all of it

[bold]Or all of it in one[/]

testbed compare                  A and B under the same traffic, side by side
"""


class _Group(TyperGroup):
    """Shows errors that the user can act on as a message instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TestbedError as error:
            console.show_error(error)
            raise typer.Exit(ERROR_EXIT) from error
        except EOFError as error:  # the library below would take it for the end of a dialogue
            console.show_error(TestbedError(f"something ended before it was whole: {error}"))
            raise typer.Exit(ERROR_EXIT) from error
        except OSError as error:
            # One without a number is none of the system's: its traceback says where it is from.
            if error.errno is None:
                raise
            if error.errno == errno.EPIPE:
                console.out.on_broken_pipe()
            console.show_error(of_system(error))
            raise typer.Exit(ERROR_EXIT) from error
        except KeyboardInterrupt as error:
            console.err.print("interrupted")
            raise typer.Exit(INTERRUPT_EXIT) from error


def make_app(command: str = "") -> typer.Typer:
    """Build the application from the modules in :mod:`testbed.cli.commands`.

    Of the one that ``command`` names alone, if there is one: to import what all of them need takes
    seconds of CPU.
    """
    if not console.out.on_terminal:
        rich_utils.MAX_WIDTH = HELP_WIDTH
    app = typer.Typer(
        name="testbed",
        cls=_Group,
        help="Run two task-queue designs behind one gRPC contract, and compare them.",
        epilog=_EPILOG,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def _root(
        _version: Annotated[
            bool,
            typer.Option(
                "--version",
                callback=_show_version,
                is_eager=True,
                help="Show the version and exit.",
            ),
        ] = False,
    ) -> None:
        """Keep ``testbed COMMAND`` the form even if there were one command only."""
        # The processes that a command starts have another working directory.
        if home := os.environ.get(stacks.HOME_VARIABLE):
            os.environ[stacks.HOME_VARIABLE] = str(Path(home).resolve())

    names = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    for name in [command] if command in names else names:
        import_module(f"{commands.__name__}.{name}").register(app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"testbed {metadata.version('taskqueue-testbed')}")
        raise typer.Exit


def main() -> None:
    """Run the command line and exit: 0, 1 for "no", 2 for an error, 130 if interrupted.

    With 141 if nobody reads any more what it prints. Python itself would end with 1 after an error
    that nobody foresaw, and 1 is an answer.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no umlauts gets a question mark, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        make_app(*sys.argv[1:2])()
    except Exception:
        traceback.print_exc()
        sys.exit(ERROR_EXIT)
