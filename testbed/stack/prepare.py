"""Works out a stack before anything is started: environments, ports, the empty record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

from common.config import ConfigError, Settings
from common.stack_spec import StackSpec
from common.topology import Topology
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
) -> dict[str, dict[str, str]]:
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
    found = {}
    try:
        for each in topology.processes:
            given = {**settings, "secret_file": secret_file}
            found[each.name] = topology.environment(each.name, spec.slots, given, host_of, bind)
            Settings.from_environment(found[each.name])
    except ConfigError as error:
        raise TestbedError(str(error), hint) from error
    except ValueError as error:
        raise TestbedError(str(error)) from error
    return found


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
    )
