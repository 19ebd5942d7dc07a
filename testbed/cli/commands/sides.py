"""``testbed sides``: how a side of a comparison is written."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

from testbed.report import console
from testbed.stack import designs
from testbed.stack.sides.side import GRAMMAR

_FORMS = (
    ("a", "a design as it is"),
    ("a+lease=10", "with an option; testbed options lists them"),
    ("b+slots=24+log_level=DEBUG", "with several"),
    ("a@HEAD~3", "as it was at a git revision, with the environment of that revision"),
    ("a@v0.2+slots=24", "with both"),
    ("10.0.0.5:50051,10.0.0.6:50051", "a server that is there already and serves the contract"),
    ("127.0.0.1:6000+declaration=mine.toml", "with a file that says what it promises"),
)
_USES = (
    ("testbed compare a a+lease=10", "what does this setting do?"),
    ("testbed compare a@HEAD~1 a", "what does this change do?"),
    ("testbed compare a b b+slots=24", "any number; the first is the reference of all ratios"),
    ("testbed compare b 127.0.0.1:6000", "how does my own server do?"),
    ("testbed up a+lease=3", "start one, and drive it with Locust"),
    ("testbed faults short a a+workers=3", "and under faults"),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Sides")(sides)


def sides() -> None:
    """Explain how a side is written: a design, its options, its revision, or an address."""
    console.out.print(Text(GRAMMAR), soft_wrap=True)
    console.out.print(Text("\ndesigns", style="bold"))
    console.out.print(_table([(name, designs.load(name).title) for name in designs.names()]))
    console.out.print(Text("\nsides", style="bold"))
    console.out.print(_table(_FORMS))
    console.out.print(Text("\nwhere they are used", style="bold"))
    console.out.print(_table(_USES))


def _table(rows: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for left, right in rows:
        table.add_row(Text(left), Text(right))
    return table
