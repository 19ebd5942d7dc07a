"""What every command prints through: results on stdout, errors and progress on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from testbed.errors import TestbedError

# Without emoji: else the ``:100:`` of a file's hundredth line is shown as one.
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(highlight=False, soft_wrap=True, emoji=False, stderr=True)


@contextmanager
def working(title: str) -> Iterator[Callable[[str], None]]:
    """Show that something goes on; the function that it gives says what at the moment.

    On a terminal that is one changing line with a spinner, elsewhere a plain line for each.
    """
    if not err.is_terminal:
        yield lambda text: err.print(f"{escape(title)}: {escape(text)}")
        return
    with err.status(escape(title)) as status:
        yield lambda text: status.update(escape(f"{title}: {text}"))


def show_error(error: TestbedError) -> None:
    """Print an error and its hint."""
    err.print(f"[bold red]error:[/] {escape(str(error))}")
    if error.hint:
        err.print(f"[bold]hint:[/]  {escape(error.hint)}")
