"""What every command prints through: results on stdout, errors and progress on stderr."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from rich.console import Console, ConsoleDimensions, Group
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from testbed.errors import TestbedError

# As a process that SIGPIPE ended: nobody reads what it prints any more.
PIPE_EXIT = 141
# Seconds after which a command that is at work says so again, where no bar shows it.
QUIET_SECONDS = 30.0
# Of what is no terminal: as wide as anything that is printed.
_UNLIMITED = 100_000
_GAP = 2


class Output(Console):
    """A console that cuts nothing: neither what is piped nor a table in a narrow terminal."""

    @property
    def on_terminal(self) -> bool:
        """Whether somebody watches. Unlike ``is_terminal``, nothing in the environment says so."""
        return bool(self.file.isatty())

    @property
    def size(self) -> ConsoleDimensions:
        """Return the size of the terminal; that of a pipe has no limit, whatever COLUMNS says."""
        return super().size if self.on_terminal else ConsoleDimensions(_UNLIMITED, 25)

    @size.setter
    def size(self, new: tuple[int, int]) -> None:
        self._width, self._height = new

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a table that would have to be cut is written row by row instead."""
        super().print(*map(self._whole, objects), **options)

    def on_broken_pipe(self) -> NoReturn:
        """End, quietly: there is nobody to show it to. Whatever runs is stopped on the way out."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        raise SystemExit(PIPE_EXIT)

    def _check_buffer(self) -> None:
        try:
            super()._check_buffer()
        except OSError as error:
            # A terminal that has been closed; SIGHUP says so as well, and ends the command.
            if error.errno != errno.EIO:
                raise
            self.quiet = True

    def _whole(self, printed: Any) -> Any:
        if isinstance(printed, Table) and self._least(printed) > self.width:
            return _rows(printed)
        return printed

    def _least(self, table: Table) -> int:
        """Return the width below which a word of the table, or a line of it, would be cut."""
        options = self.options.update_width(_UNLIMITED)

        def width(column: Column) -> int:
            cells = (Measurement.get(self, options, each) for each in _cells(column))
            return max((each.maximum if column.no_wrap else each.minimum) for each in cells)

        return sum(map(width, table.columns)) + _GAP * (len(table.columns) - 1)


def _cells(column: Column) -> Iterator[Any]:
    yield column.header
    yield from column.cells


def _rows(table: Table) -> Group:
    """Lay out a table as a block for each row, with a line for each of its cells."""
    titles, *rows = zip(*(map(_text, _cells(column)) for column in table.columns), strict=True)
    lines = []
    for first, *rest in rows:
        lines.append(first)
        for title, cell in zip(titles[1:], rest, strict=True):
            if cell:
                lines.append(Text.assemble("  ", title, "  " if title else "", cell))
    return Group(*lines)


def _text(cell: Any) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))


# Without emoji: else the ``:100:`` of a file's hundredth line is shown as one.
out = Output(highlight=False, soft_wrap=True, emoji=False)
err = Output(highlight=False, soft_wrap=True, emoji=False, stderr=True)


@contextmanager
def working(title: str) -> Iterator[Callable[[str], None]]:
    """Show that something goes on; the function that it gives says what at the moment.

    On a terminal that is one changing line with a spinner, elsewhere a plain line for each, again
    every now and then while nothing is new.
    """
    if err.on_terminal:
        with err.status(escape(title)) as status:
            yield lambda text: status.update(escape(f"{title}: {text}"))
        return
    latest = [title]

    def show(text: str) -> None:
        latest[0] = f"{title}: {text}"
        err.print(Text(latest[0]))

    with repeating(lambda: err.print(Text(latest[0]))):
        yield show


@contextmanager
def repeating(show: Callable[[], None], seconds: float | None = None) -> Iterator[None]:
    """Call ``show`` every so many ``seconds`` until the end of the block, from another thread."""
    ended = threading.Event()
    pause = QUIET_SECONDS if seconds is None else seconds

    def repeat() -> None:
        while not ended.wait(pause):
            show()

    thread = threading.Thread(target=repeat, name="repeating", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def note(line: str) -> None:
    """Print a line beside the results, on stderr; what looks like markup is shown as it is."""
    err.print(Text(line))


def note_still_stopping() -> None:
    """Answer a second Ctrl-C while what was started is still being stopped."""
    note("still stopping, a few seconds more")


def show_error(error: TestbedError) -> None:
    """Print an error and its hint."""
    err.print(f"[bold red]error:[/] {escape(str(error))}")
    if error.hint:
        err.print(f"[bold]hint:[/]  {escape(error.hint)}")
