"""Works out a stack before anything is started: commands, environments, ports, the empty record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from common.config import PREFIX, ConfigError, Settings
from common.process_spec import METRICS_PATH, ProcessSpec
from common.stack_spec import Source, StackSpec
from common.topology import LINKS, Topology
from testbed import CHECKOUT
from testbed.errors import TestbedError
from testbed.stack.ports import HOST
from testbed.stack.records import StackRecord

_BY_TOPOLOGY = ("links", "listen", "membership", "metrics", "name", "peers", "secret_file")


@dataclass(frozen=True)
class Place:
    """Where the processes of a stack run: how they are reached, and where their files are.

    ``host_of`` gives the host of a process by its name, ``bind`` is the address to listen on,
    ``secret_file`` where each of ours finds the secret of the stack, ``tree`` the code of the
    project. ``data_of`` gives the data folder of a process.
    """

    host_of: Callable[[str], str] = lambda _: HOST
    bind: str = HOST
    secret_file: str = ""
    tree: str = str(CHECKOUT)
    data_of: Callable[[ProcessSpec], str] = lambda each: each.name


def filled(topology: Topology, spec: StackSpec, place: Place) -> tuple[ProcessSpec, ...]:
    """Return the processes of a stack as they are started at a place, in the order of their start.

    The environment of one of ours has its settings, and texts of any other are filled. Raises
    :class:`TestbedError` for bad settings, and for texts that cannot be filled.
    """
    settings = spec.settings
    known = sorted({each.name for each in dataclasses.fields(Settings)} - {*_BY_TOPOLOGY, "slots"})
    hint = f"settings: {', '.join(known)}"
    if fixed := sorted(settings.keys() & {*_BY_TOPOLOGY}):
        raise TestbedError(f"the stack decides on {', '.join(fixed)}", hint)
    if "slots" in settings:
        raise TestbedError("slots is not a setting of one process", "give --slots, the total")
    try:
        return tuple(_filled(topology, each, spec, place) for each in topology.processes)
    except ConfigError as error:
        raise TestbedError(str(error), hint) from error
    except ValueError as error:
        raise TestbedError(str(error)) from error


def _filled(topology: Topology, process: ProcessSpec, spec: StackSpec, place: Place) -> ProcessSpec:
    where = (place.host_of, place.bind)
    values = {
        **_texts({**topology.defaults, **spec.settings}),
        **topology.values(process.name, spec.slots, *where),
        "tree": place.tree,
        "data": place.data_of(process),
    }
    found = process.filled(values)
    if not process.is_ours:
        return found
    given = {**spec.settings, "secret_file": place.secret_file}
    environment = topology.environment(process.name, spec.slots, given, *where)
    readable = _readable(environment, source_of(spec, process.name))
    return replace(found, environment={**found.environment, **readable})


def _texts(given: Mapping[str, str]) -> dict[str, str]:
    """Return every setting that a user may set, as those that are not ours are started with."""
    known = {each.name: str(each.default) for each in dataclasses.fields(Settings)}
    return {name: str(given.get(name, default)) for name, default in known.items()}


def source_of(spec: StackSpec, name: str) -> Source | None:
    """Return whose code a process runs, ``None`` for that of this checkout.

    The proxy of links is no part of what is measured, but a tool of today.
    """
    return spec.source if name != LINKS else None


def _readable(environment: dict[str, str], source: Source | None) -> dict[str, str]:
    """Return the environment as the code of the process can read it.

    A revision refuses settings that it does not know; what the stack decides on is left out then,
    and what a user asked for has been refused before. Raises ``ConfigError``.
    """
    if source is None:
        Settings.from_environment(environment)
        return environment
    known = {f"{PREFIX}{name.upper()}" for name in source.settings}
    return {name: value for name, value in environment.items() if name in known}


def scaled(topology: Topology, spec: StackSpec, one_host: bool = True) -> Topology:
    """Return the topology as large as ``spec`` says, as :meth:`StackSpec.scaled` does.

    Raises :class:`TestbedError` if the slots cannot be shared out evenly, and for settings and
    links of a design that has none.
    """
    if spec.settings and not any(each.is_ours for each in topology.processes):
        raise TestbedError(
            f"design {topology.design} has no process of ours, and no other has the settings "
            f"{', '.join(sorted(spec.settings))}",
            "leave them out: its own topology says what its processes are started with",
        )
    no_links = spec.links and not topology.calls_between_ours()
    try:
        return spec.scaled(topology, one_host)
    except ValueError as error:
        hint = "leave them out" if no_links else "slots and workers set the totals"
        raise TestbedError(str(error), hint) from error


def port_uses(topology: Topology) -> dict[int, str]:
    """Return what each port is for. Raises :class:`TestbedError` if one is for two."""
    uses: dict[int, str] = {}
    every = [
        *(
            (port, f"{each.name}, {use}")
            for each in topology.processes
            for use, port in each.every_port().items()
        ),
        *((link.port, f"link {link}") for link in topology.links),
    ]
    for port, use in every:
        if (other := uses.setdefault(port, use)) != use:
            raise TestbedError(
                f"design {topology.design} has port {port} for two: {other}; {use}",
                "give one of them another port in the topology",
            )
    return uses


def blank(runtime: str, topology: Topology, spec: StackSpec) -> StackRecord:
    """Return the record of a stack of which nothing has been started yet."""
    return StackRecord(
        design=topology.design,
        runtime=runtime,
        endpoints=tuple(topology.endpoints()),
        metrics={each.name: metrics_at(each) for each in topology.processes if each.metrics_port},
        processes=(),
        slots=spec.slots if topology.shares_slots else 0,
        settings=dict(spec.settings),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        clock=spec.clock,
        side=spec.side or topology.design,
        revision=spec.source.revision if spec.source else "",
    )


def metrics_at(process: ProcessSpec) -> str:
    """Return where the metrics of a process are: ``host:port``, and the path if it is another."""
    path = "" if process.metrics_path == METRICS_PATH else process.metrics_path
    return f"{HOST}:{process.metrics_port}{path}"
