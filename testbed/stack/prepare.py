"""Works out a stack before anything is started: environments, ports, the empty record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from common.config import PREFIX, ConfigError, Settings
from common.stack_spec import Source, StackSpec
from common.topology import LINKS, Topology
from testbed.errors import TestbedError
from testbed.stack.ports import HOST
from testbed.stack.records import StackRecord

_BY_TOPOLOGY = ("links", "listen", "metrics", "name", "peers", "secret_file")


def environments(
    topology: Topology,
    spec: StackSpec,
    host_of: Callable[[str], str] = lambda _: HOST,
    bind: str = HOST,
    secret_file: str = "",
) -> dict[str, Mapping[str, str]]:
    """Return the environment of each process; raise :class:`TestbedError` for bad settings.

    ``host_of`` gives the host of a process by its name, ``bind`` is the address to listen on,
    ``secret_file`` where each finds the secret of the stack.
    """
    settings = spec.settings
    known = sorted({each.name for each in dataclasses.fields(Settings)} - {*_BY_TOPOLOGY, "slots"})
    hint = f"settings: {', '.join(known)}"
    if fixed := sorted(settings.keys() & {*_BY_TOPOLOGY}):
        raise TestbedError(f"the stack decides on {', '.join(fixed)}", hint)
    if "slots" in settings:
        raise TestbedError("slots is not a setting of one process", "give --slots, the total")
    found: dict[str, Mapping[str, str]] = {}
    try:
        for each in topology.processes:
            given = {**settings, "secret_file": secret_file}
            own = topology.environment(each.name, spec.slots, given, host_of, bind)
            found[each.name] = _readable(own, source_of(spec, each.name))
    except ConfigError as error:
        raise TestbedError(str(error), hint) from error
    except ValueError as error:
        raise TestbedError(str(error)) from error
    return found


def source_of(spec: StackSpec, name: str) -> Source | None:
    """Return whose code a process runs, ``None`` for that of this checkout.

    The proxy of links is no part of what is measured, but a tool of today.
    """
    return spec.source if name != LINKS else None


def _readable(environment: dict[str, str], source: Source | None) -> Mapping[str, str]:
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

    Raises :class:`TestbedError` if the slots cannot be shared out evenly.
    """
    try:
        return spec.scaled(topology, one_host)
    except ValueError as error:
        raise TestbedError(str(error), "slots and workers set the totals") from error


def port_uses(topology: Topology) -> dict[int, str]:
    """Return what each port of the design is for."""
    uses = {
        port: f"{each.name}, {use}"
        for each in topology.processes
        for port, use in ((each.port, "gRPC"), (each.metrics_port, "metrics"))
    }
    return uses | {link.port: f"link {link}" for link in topology.links}


def blank(runtime: str, topology: Topology, spec: StackSpec) -> StackRecord:
    """Return the record of a stack of which nothing has been started yet."""
    return StackRecord(
        design=topology.design,
        runtime=runtime,
        endpoints=tuple(topology.endpoints()),
        metrics={each.name: f"{HOST}:{each.metrics_port}" for each in topology.processes},
        processes=(),
        slots=spec.slots,
        settings=dict(spec.settings),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        clock=spec.clock,
        side=spec.side or topology.design,
        revision=spec.source.revision if spec.source else "",
    )
