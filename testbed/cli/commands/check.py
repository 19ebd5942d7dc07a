"""``testbed check``: judges a history of calls."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import structs
from rich.text import Text

from testbed import check as checker
from testbed.check import Verdict, Violation, rules
from testbed.check.timeline import timeline
from testbed.errors import TestbedError
from testbed.record.history import files
from testbed.record.history.model import History, Operation
from testbed.report import console

_COUNTS = {
    "operations": "calls",
    "indefinite": "of them without an answer",
    "faults": "faults",
    "accepted": "jobs accepted",
    "recovered": "jobs of submits that were not answered",
    "lost_with_state": "jobs lost with the memory that held them, as a fault was meant to do",
    "expired": "jobs forgotten when their retention may have been over",
    "expired_unseen": "of them whose end no answer had shown",
    "lost": "jobs lost",
    "unexpected": "jobs that nobody submitted",
    "duplicated": "jobs made twice",
    "unfinished": "jobs that nobody was promised and that never end",
}
_OF_RETENTION = {"expired", "expired_unseen"}

_EPILOG = """
[bold]Examples[/]

testbed check results/latest/trials/001-a        all files of a run, as one history

testbed check history.jsonl                      one file, of any system with this contract

testbed check results/quiet --calm               without faults: no job may have run twice

testbed check history.jsonl --json | jq .found   how many violations of each rule
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check", epilog=_EPILOG)(check)


def check(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE_OR_FOLDER",
            resolve_path=True,
            help="A history file, or a folder whose history*.jsonl and history*.jsonl.gz are read "
            "as one.",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdict as one JSON object.")
    ] = False,
    detailed: Annotated[
        int, typer.Option(min=0, help="Violations of each rule that are shown with their calls.")
    ] = 20,
    calm: Annotated[
        bool,
        typer.Option(
            "--calm",
            help="Nothing disturbed the system: no job may have run twice, and a running job must "
            "end within 10 s after its cancel was answered.",
        ),
    ] = False,
) -> None:
    """Say whether a system kept the promises of its contract, from a history of calls to it.

    A history holds every call of a run as its caller saw it: when it began and ended, what was
    asked and answered. The checker knows nothing else. It looks for jobs that were lost, came from
    nowhere, were made twice or never end, for states, attempts and results that changed when they
    must not, for cancels that were not kept, and for lists that leave out a job or show it twice.
    What it finds no delay or lost answer can explain; each is shown with the few calls that prove
    it.

    The history has to hold all submits and cancels that the system was sent. The format is in
    docs/histories.md, and so is what each rule concludes.

    Ends with 0 if nothing is wrong, 1 if something is, 2 if the history cannot be read.
    """
    with console.working("check") as on_progress:
        history = files.read(
            path, lambda done, total: on_progress(f"reading, {_percent(done, total)}")
        )
        try:
            verdict = checker.check(history, on_progress, detailed, calm)
        except ValueError as error:
            raise TestbedError(str(error), "leave --calm out") from error
    if as_json:
        unfinished = {"unfinished": [str(each) for each in history.unfinished]}
        typer.echo(json.dumps({**_plain(verdict), **unfinished}, indent=2, default=structs.asdict))
    else:
        _show(verdict, history)
    raise typer.Exit(0 if verdict.clean else 1)


def _percent(done: int, total: int) -> str:
    return f"{100 * done // max(total, 1)} %"


def _show(verdict: Verdict, history: History) -> None:
    start = _start(history)
    for violation in verdict.violations:
        _show_violation(violation, start)
    for name, title in _COUNTS.items():
        if name in _OF_RETENTION and not history.retention_us:
            continue
        console.out.print(Text(f"{verdict.counts[name]:>12,}  {title}"))
    if unknown := verdict.counts["not_looked_up"]:
        text = (
            f"The fate of {unknown:,} accepted jobs is not known: no call of the client "
            "'audit' looked them up at the end, so they were not counted as lost."
        )
        console.out.print(Text(text, style="yellow"))
    for path in history.unfinished:
        text = f"{path} does not say where it ends: what follows, if anything did, was not judged."
        console.out.print(Text(text, style="yellow"))
    if verdict.clean:
        console.out.print(Text("Nothing is wrong.", style="green"))
        return
    abouts = {rule.name: rule.about for rule in rules.load()}
    for name, number in verdict.found.items():
        if number:
            console.out.print(Text(f"BROKEN {number:,} times  {name}: {abouts[name]}", "bold red"))


def _show_violation(violation: Violation, start: int) -> None:
    console.out.print(Text(f"{violation.rule}: {violation.subject} {violation.text}", "bold red"))
    rows = list(timeline(violation, start))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        console.out.print(Text("  " + "  ".join((*cells, row[3])).rstrip()))
    console.out.print()


def _start(history: History) -> int:
    begins = [history.operations[0].invoked] if history.operations else []
    return min([*begins, *(fault.begun for fault in history.faults)], default=0)


def _plain(verdict: Verdict) -> dict[str, Any]:
    return {
        "clean": verdict.clean,
        "counts": dict(verdict.counts),
        "found": dict(verdict.found),
        "violations": [
            {
                "rule": violation.rule,
                "subject": violation.subject,
                "text": violation.text,
                "slice": [
                    {
                        "operation"
                        if isinstance(event, Operation)
                        else "fault": dataclasses.asdict(event)
                    }
                    for event in violation.slice
                ],
            }
            for violation in verdict.violations
        ],
    }
