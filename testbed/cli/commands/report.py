"""``testbed report``: works out the report of an experiment again, or compares several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from testbed.errors import TestbedError
from testbed.record import files
from testbed.report import console
from testbed.report.page import REPORT
from testbed.runs.compare.report import html, rebuild
from testbed.runs.compare.report.junit import JUNIT_XML
from testbed.runs.faults import outcome
from testbed.runs.faults.report import terminal
from testbed.runs.faults.session import EXPERIMENT

SEVERAL = "runs.html"

_EPILOG = """
[bold]Examples[/]

testbed report results/latest                      write its report.html and the other files again

testbed report results/latest --check              end with 1 if a threshold is not met

testbed report results/baseline/*                  several runs on one page
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", epilog=_EPILOG)(report)


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            resolve_path=True,
            help="Folders of experiments: results/<name>/<UTC>.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            resolve_path=True,
            help=f"Where the page of several runs goes; without it {SEVERAL} in the results "
            "folder of the first.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="End with 1 if a planned trial has no valid attempt or a threshold is not met.",
        ),
    ] = False,
) -> None:
    """Write the report of an experiment from what it recorded.

    Of one DIR: report.html (one file that needs nothing else), summary.md, junit.xml, inside.csv
    and the tables, all into DIR; of a fault run its page and tables. Of several: one page that puts
    them side by side and names in what machine, lock, commit, settings and plan they differ; the
    folders stay as they are.
    """
    if len(folders) == 1 and output is not None:
        raise TestbedError("--output is for several runs", "the report of one goes into its folder")
    if len(folders) > 1 and check:
        raise TestbedError("--check is for one run", "call it for each")
    if len(folders) == 1 and (folders[0] / EXPERIMENT).exists():
        raise typer.Exit(_faults(folders[0], check))
    if len(folders) == 1:
        if not (folders[0] / files.EXPERIMENT).exists():
            raise TestbedError(f"{folders[0]} has neither {files.EXPERIMENT} nor {EXPERIMENT}")
        raise typer.Exit(_one(folders[0], check))
    _several(folders, output)


def _one(folder: Path, check: bool) -> int:
    with console.working("report") as on_progress:
        rebuilt = rebuild.write(folder, on_progress)
    for each in rebuilt.checked:
        word, style = ("met   ", "green") if each.met else ("FAILED", "bold red")
        console.out.print(Text(f"{word}  {each.text}", style=style))
    if missing := rebuilt.comparison.missing:
        named = ", ".join(map(str, missing))
        console.out.print(Text(f"Without a valid attempt: trial {named}", style="yellow"))
    if rebuilt.unbroken:
        console.out.print(Text("Without the fault run that the plan ends with", style="yellow"))
    for sentence in rebuilt.faults.unfinished if rebuilt.faults else ():
        console.out.print(Text(sentence, style="bold red"))
    if rebuilt.page is None:
        console.out.print(Text(f"No trial ran, so there is no page; {folder / JUNIT_XML}"))
    else:
        console.out.print(Text(f"Report: {rebuilt.page}"))
    return 1 if check and not rebuilt.passed else 0


def _faults(folder: Path, check: bool) -> int:
    with console.working("report") as on_progress:
        found = outcome.write(folder, on_progress)
    if found.figures:
        console.out.print(terminal(found.figures))
        console.out.print(Text(f"Report: {folder / REPORT}"), soft_wrap=True)
    for each in found.unfinished:
        console.out.print(Text(each, style="bold red"))
    return 1 if check and not found.kept else 0


def _several(folders: list[Path], output: Path | None) -> None:
    for folder in folders:
        if folders.count(folder) > 1:
            raise TestbedError(f"{folder} is named twice", "name each run once")
    path = output or folders[0].parent.parent / SEVERAL
    with console.working("report") as on_progress:
        page = html.write_several(folders, path, on_progress)
    console.out.print(Text(f"Report: {page}"))
