"""``testbed options``: what can be chosen for a side."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from common import options as registry
from common.options import Option
from testbed.errors import TestbedError
from testbed.report import console

_EPILOG = """
An option belongs to a side: testbed compare a a+lease=10, testbed up b+slots=24.

[bold]Examples[/]

testbed options              every option, its values and its default

testbed options lease        what one of them buys and what it costs
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Sides", epilog=_EPILOG)(options)


def options(
    name: Annotated[str | None, typer.Argument(help="Explain this one.")] = None,
) -> None:
    """List the options of a side: what each sets, its values, its default."""
    known = registry.load()
    if name is None:
        _list(list(known.values()))
        return
    if name not in known:
        raise TestbedError(f"there is no option {name!r}", f"there are {', '.join(known)}")
    _explain(known[name])


def _list(known: list[Option]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("option", "default", "values", "what it sets"):
        table.add_column(column, no_wrap=column == "option")
    for each in known:
        table.add_row(each.name, Text(each.default), Text(each.values.words), Text(each.about))
    console.out.print(table)


def _explain(option: Option) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    lines = {
        option.name: option.about,
        "values": option.values.words,
        "default": option.default,
        "buys": option.buys,
        "costs": option.costs,
        "goes with": ", ".join(_company(option)),
        "needs": ", ".join(option.services),
        "example": "+".join(
            [*(option.designs or "a")[:1], *_company(option), f"{option.name}={_example(option)}"]
        ),
    }
    for title, text in lines.items():
        if text:
            table.add_row(title, Text(text))
    console.out.print(table)


def _company(option: Option) -> list[str]:
    return [f"{name}={value}" for name, value in registry.company(option).items()]


def _example(option: Option) -> str:
    """Return a value that is not the default, if the values are words; else the default."""
    words = option.values.words.split("|")
    others = [each for each in words if each != option.default]
    return others[0] if len(words) > 1 else option.default.partition(" ")[0]
