"""``testbed status``: says what is up, where, and whether it is healthy."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from testbed.report import console
from testbed.stack import prometheus, runtimes
from testbed.stack import records as stacks
from testbed.stack.ports import HOST
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import ProcessStatus
from testbed.stack.sides.side import title

_EPILOG = """
The exit code is 0 if something is up and all of it serves, else 1.

[bold]Examples[/]

testbed status

testbed status --json | jq -r '.stacks[].endpoints[]'
"""
_COLUMNS = ("process", "pid", "address", "metrics", "health", "up", "CPU", "memory")
_NUMBERS = ("pid", "up", "CPU", "memory")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Stacks", epilog=_EPILOG)(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show every process of the stacks that are up: where, how healthy, what it has used."""
    records = [record for name in stacks.recorded() if (record := stacks.load(name))]
    stacks_found = [(record, runtimes.get(record.runtime).status(record)) for record in records]
    observer = prometheus.find()
    if as_json:
        console.out.print_json(
            json.dumps(
                {
                    "stacks": [_json(record, found) for record, found in stacks_found],
                    "prometheus": prometheus.url(observer) if observer else None,
                }
            ),
            highlight=False,
        )
    elif not stacks_found:
        console.out.print("nothing is up; `testbed up a` starts design A")
    else:
        for record, found in stacks_found:
            _show(record, found)
    if observer and not as_json:
        console.out.print(f"Prometheus: {prometheus.url(observer)}, process {observer.pid}")
    if not stacks_found or not all(_healthy(record, found) for record, found in stacks_found):
        raise typer.Exit(1)


def _healthy(record: StackRecord, found: list[ProcessStatus]) -> bool:
    return record.ready and all(each.healthy for each in found)


def _json(record: StackRecord, found: list[ProcessStatus]) -> dict[str, Any]:
    return {
        "design": record.design,
        "side": record.side,
        "revision": record.revision,
        "runtime": record.runtime,
        "healthy": _healthy(record, found),
        "ready": record.ready,
        "started": record.started,
        "slots": record.slots,
        "settings": dict(record.settings),
        "endpoints": list(record.endpoints),
        "processes": [
            {
                **asdict(each.record),
                "metrics": each.metrics,
                "health": each.health,
                "uptime_seconds": round(each.uptime_seconds, 1),
                "cpu_seconds": round(each.cpu_seconds, 2),
                "memory_bytes": each.memory_bytes,
            }
            for each in found
        ],
    }


def _show(record: StackRecord, found: list[ProcessStatus]) -> None:
    settings = "".join(f", {key}={value}" for key, value in record.settings.items())
    what = title(record.side)
    if record.revision:
        what = f"{what}, revision {record.revision[:10]}"
    console.out.print(
        f"{what}: {record.capacity}{settings}, started {record.started}",
        markup=False,
    )
    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column in _NUMBERS else "left", no_wrap=True)
    for each in found:
        table.add_row(*_row(each))
    console.out.print(table)
    for each in found:
        if each.health == "dead":
            console.out.print(f"{each.record.name} died; its log: {each.record.log}", markup=False)
    if not record.ready:
        console.out.print(
            f"its start is under way or was cut short; if so: testbed down {record.design}"
        )
    elif not _healthy(record, found):
        console.out.print(f"for a fresh stack: testbed down {record.design}, then up again")


def _row(each: ProcessStatus) -> tuple[str, ...]:
    colour = "green" if each.healthy else "red"
    called = f"{HOST}:{each.record.port}" if each.record.port else "-"
    metrics = each.metrics.removeprefix(HOST) or "-"
    place = (each.record.name, str(each.record.pid), called, metrics)
    health = f"[{colour}]{each.health}[/]"
    if each.health == "dead":
        return (*place, health, "", "", "")
    return (
        *place,
        health,
        _duration(each.uptime_seconds),
        f"{each.cpu_seconds:.1f} s",
        f"{each.memory_bytes / 2**20:.0f} MiB",
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
