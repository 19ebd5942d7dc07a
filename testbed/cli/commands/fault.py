"""``testbed fault``: injects a fault into a stack that is up, and heals it."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from common.topology import Topology
from testbed.cli.named import design_of
from testbed.drive.interrupts import Interrupts
from testbed.errors import TestbedError
from testbed.report import console
from testbed.runs.faults import registry
from testbed.runs.faults.heal import heal_all, topology_of
from testbed.runs.faults.kind import Kind, Parameters, Target
from testbed.runs.faults.servers import roles
from testbed.stack import designs, runtimes
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.controls import Controls
from testbed.stack.sides.resolve import resolve

LIST, HEAL = "list", "heal"
_EPILOG = """
[bold]Examples[/]

testbed fault list                                   the kinds, and the parameters of each

testbed fault list a                                 and what each can hit in design A

testbed fault kill a worker                          dead for five seconds, then started again

testbed fault cut b node-0:node-1 --for 10           needs `testbed up b --links`

testbed fault delay a gateway:job request_ms=300

testbed fault pause_long a coordinator --keep        stays; `testbed fault heal a` heals it
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Stacks", epilog=_EPILOG)(fault)


def fault(
    kind: Annotated[str, typer.Argument(help=f"A kind of fault, or {LIST}, or {HEAL}.")],
    design: Annotated[
        str | None, typer.Argument(help="Which design, or the side that it was started as.")
    ] = None,
    target: Annotated[
        str | None, typer.Argument(help="A process, or a link as CALLER:CALLEE.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Argument(help="Parameters of the kind.", metavar="[KEY=VALUE]..."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for",
            metavar="SECONDS",
            help="How long it lasts; 0 is --keep. Five seconds, if the kind says nothing else.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help=f"Leave it; `{HEAL}` heals it.")] = False,
) -> None:
    """Inject a fault into a stack that is up, wait, and heal it. Ctrl-C heals it at once."""
    if kind == LIST:
        _list(design)
    elif kind == HEAL:
        _heal(_stack(design))
    else:
        chosen = registry.get(kind)
        if seconds is not None and not 0 <= seconds <= 86_400:
            raise TestbedError(f"--for {seconds:g}: must be from 0 to 86400 seconds")
        record = _stack(design)
        _inject(chosen, record, target, parameters or [], 0.0 if keep else seconds)


def _list(design: str | None) -> None:
    topology = _topology(design) if design is not None else None
    table = Table(box=None, pad_edge=False)
    for column in ("kind", "needs", "what happens"):
        table.add_column(column)
    for each in registry.load().values():
        text = [each.about]
        text += [f"{p.name}={p.default:g}: {p.about}" for p in each.parameters]
        if topology is not None:
            text.append(f"targets: {each.known(topology) or 'none'}")
        needs = f"--{each.needs}" if each.needs else ""
        table.add_row(each.name, needs, escape("\n".join(text)))
    console.out.print(table)


def _topology(design: str) -> Topology:
    """Return what is up of a design, or what would be."""
    record = stacks.load(design_of(design))
    return topology_of(record) if record is not None else resolve(design).topology


def _heal(record: StackRecord) -> None:
    done = False
    for text in heal_all(_controls(record)):
        done = True
        console.out.print(f"healed: {text}", markup=False)
    if not done:
        console.out.print(f"nothing is broken in design {record.design}")


def _inject(
    kind: Kind,
    record: StackRecord,
    name: str | None,
    pairs: list[str],
    seconds: float | None,
) -> None:
    topology = topology_of(record)
    if name is None:
        known = kind.known(topology) or "there is none in this design"
        raise TestbedError("which target? none is named", f"one of: {known}")
    target, parameters = kind.target(topology, name), kind.read(dict(map(_pair, pairs)))
    target = roles.resolved(_controls(record), topology, target)
    lasts = kind.seconds(record) if seconds is None else seconds
    _require_whole(record, target)
    _hold(kind, _controls(record), target, parameters, lasts)


def _require_whole(record: StackRecord, target: Target) -> None:
    """Raise :class:`TestbedError` if what the fault is to hit does not run anyway."""
    alive = {each.name for each in record.alive()}
    for name in target.affected:
        if ">" not in name and name not in alive:
            raise TestbedError(
                f"{name} of design {record.design} is dead already",
                f"`testbed fault heal {record.design}` starts it again",
            )


def _hold(
    kind: Kind, controls: Controls, target: Target, parameters: Parameters, lasts: float
) -> None:
    """Inject, wait and heal. Whatever comes between leaves nothing broken, a signal too."""
    what, interrupts, begun, kept = f"{kind.name} {target.name}", Interrupts(), False, False
    with interrupts.installed():
        try:
            kind.inject(controls, target, parameters)
            begun, kept = True, not lasts
            _announce(kind, controls.record, target, lasts)
            with console.repeating(lambda: console.out.print(f"lasts: {what}", markup=False)):
                time.sleep(lasts)
        finally:
            if not kept:
                with interrupts.shield():
                    moment = time.monotonic()
                    kind.heal(controls, target)
                    took = time.monotonic() - moment
                if begun:
                    console.out.print(f"healed: {what}, in {took:.1f} s", markup=False)


def _announce(kind: Kind, record: StackRecord, target: Target, lasts: float) -> None:
    until = (
        f"for {lasts:g} s, or until Ctrl-C"
        if lasts
        else f"until `testbed fault heal {record.design}`"
    )
    console.out.print(f"begun: {kind.name} {target.name}, {until}", markup=False)
    for process in kind.lost_state(target):
        console.out.print(f"what {process} held in its memory is lost", markup=False)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise TestbedError(f"{text}: not KEY=VALUE", "for example request_ms=300")
    return key, value


def _stack(design: str | None) -> StackRecord:
    """Return the stack that is up. Raises :class:`TestbedError`, saying how to have one."""
    if design is None:
        up = ", ".join(record.design for record in stacks.find())
        raise TestbedError("which design? none is named", f"up: {up or 'none; testbed up a'}")
    design = design_of(design)
    record = stacks.load(design) if design in {*designs.names(), *stacks.recorded()} else None
    if record is None:
        designs.load(design)
        raise TestbedError(f"design {design} is not up", f"testbed up {design}")
    if not record.ready:
        raise TestbedError(
            f"design {design} is not up yet, or its start was cut short", "see `testbed status`"
        )
    return record


def _controls(record: StackRecord) -> Controls:
    return runtimes.get(record.runtime).controls(record)
