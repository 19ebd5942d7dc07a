"""The equal nodes of a stack that is up: which there are, and how one more starts or one ends."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import psutil

from common.config import PREFIX, environment_of
from common.topology import role_of
from testbed.errors import TestbedError
from testbed.stack import ports
from testbed.stack import records as stacks
from testbed.stack.ports import HOST
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes import Progress, health
from testbed.stack.runtimes.controls import metrics_port
from testbed.stack.runtimes.local import clock, processes
from testbed.stack.runtimes.logs import log_tail
from testbed.stack.runtimes.order import stop_grace

_START = 30.0
_MARGIN = 3.0


def nodes_of(record: StackRecord) -> list[ProcessRecord]:
    """Return the equal nodes of a stack in the order of their numbers, one that leaves included."""
    roles = {each.name.rpartition("-")[0] for each in record.processes if _is_entry(record, each)}
    found = [each for each in record.processes if each.name.rpartition("-")[0] in roles]
    return sorted(found, key=number_of) if len(found) > 1 and len(roles) == 1 else []


def _is_entry(record: StackRecord, process: ProcessRecord) -> bool:
    return address_of(process) in record.endpoints and process.name.rpartition("-")[2].isdecimal()


def started(record: StackRecord, old: Sequence[ProcessRecord], progress: Progress) -> ProcessRecord:
    """Start a node like the last one, on the next ports; return once it serves."""
    last = old[-1]
    name, port = f"{last.name.rpartition('-')[0]}-{number_of(last) + 1}", last.port + 1
    measured = last_metrics_port(record, old) + 1
    _end_unrecorded(record, name)
    ports.require_free({port: f"{name}, gRPC", measured: f"{name}, metrics"})
    own = {"name": name, "listen": f"{HOST}:{port}", "metrics": f"{HOST}:{measured}"}
    peers = peers_of(replace(last, name=name), old)
    timed = clock.environment(record.design, name) if record.clock else {}
    progress(f"starting {name}")
    new = processes.respawn(
        record.design,
        replace(
            last,
            name=name,
            port=port,
            log=str(stacks.log_file(record.design, name)),
            calls=names_in(peers),
            environment={
                **last.environment,
                **timed,
                **environment_of({**own, "peers": peers, "membership": _text_of_others(old)}),
            },
        ),
    )
    try:
        _wait_until_serving(new)
    except BaseException:
        if (process := new.process()) is not None:
            processes.kill(process)
        raise
    return new


def _text_of_others(old: Sequence[ProcessRecord]) -> str:
    """Return what a new node starts with: it is a peer of the others and in no ring yet."""
    return f"0:{'.'.join(str(number_of(each)) for each in old)}"


def _wait_until_serving(new: ProcessRecord) -> None:
    def watch() -> None:
        if ended := processes.exit_text(new.pid):
            raise TestbedError(
                f"{new.name} ended during its start ({ended}). The end of {new.log}:\n"
                f"{log_tail(new.log)}",
                "the stack is as it was",
            )

    if health.wait_until_serving({new.name: health.Server.of(new)}, _START, watch, lambda _: None):
        raise TestbedError(f"{new.name} did not serve within {_START:g} s", "see its log")


def end(record: StackRecord, node: ProcessRecord) -> None:
    """Stop a node as the stack stops it."""
    if (process := node.process()) is not None:
        processes.end([process], stop_grace(record) + _MARGIN)
    clock.tidy(node.pid)


def _end_unrecorded(record: StackRecord, name: str) -> None:
    """End a node of that name which an interrupted command has started and not written down."""
    found = []
    for each in processes.strays(record.design):
        with contextlib.suppress(psutil.Error):
            if each.environ().get(f"{PREFIX}NAME") == name:
                found.append(each)
    processes.end(found, stop_grace(record) + _MARGIN)


def without(record: StackRecord, leaving: ProcessRecord) -> StackRecord:
    """Return the record of a stack without a node."""
    kept = tuple(each for each in record.processes if each.name != leaving.name)
    metrics = {name: at for name, at in record.metrics.items() if name != leaving.name}
    return replace(record, processes=kept, metrics=metrics)


def last_metrics_port(record: StackRecord, nodes: Sequence[ProcessRecord]) -> int:
    """Return the port at which the last of these nodes exposes its metrics."""
    return metrics_port(record.metrics[nodes[-1].name])


def peers_of(each: ProcessRecord, nodes: Sequence[ProcessRecord]) -> str:
    """Return the peers of a node among these, with those beside nodes that it has, as a cache."""
    role = role_of(each.name)
    given = each.environment.get(f"{PREFIX}PEERS", "").split(",")
    beside = [pair for pair in given if pair and role_of(pair.partition("=")[0]) != role]
    others = [f"{other.name}={address_of(other)}" for other in nodes if other.name != each.name]
    return ",".join([*others, *beside])


def names_in(peers: str) -> tuple[str, ...]:
    """Return the names in a setting of peers, sorted."""
    return tuple(sorted(pair.partition("=")[0] for pair in peers.split(",")))


def number_of(node: ProcessRecord) -> int:
    """Return the number in the name of a node."""
    return int(node.name.rpartition("-")[2])


def address_of(node: ProcessRecord) -> str:
    """Return where a node is called, as ``host:port``."""
    return f"{HOST}:{node.port}"
