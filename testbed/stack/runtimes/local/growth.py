"""Adds a node to a stack of equal nodes that is up, and takes one away, while it is called.

The nodes learn of it by ``MembershipService``. Before each step the record of every process is
written so that one that is started again knows of it too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import grpc
import psutil

from common.config import PREFIX, environment_of
from common.gen.taskqueue.membership.v1 import membership_service_pb2 as pb
from common.gen.taskqueue.membership.v1.membership_service_pb2_grpc import MembershipServiceStub
from common.rpc import connect
from common.rpc.callers import OPERATOR
from common.rpc.metadata import CALLER, PROOF
from common.topology import role_of
from testbed.errors import TestbedError
from testbed.stack import lock, ports
from testbed.stack import records as stacks
from testbed.stack.observability import targets
from testbed.stack.ports import HOST
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes import Progress, health
from testbed.stack.runtimes.controls import metrics_port
from testbed.stack.runtimes.local import clock, processes
from testbed.stack.runtimes.logs import log_tail
from testbed.stack.runtimes.order import stop_grace
from testbed.stack.sides.side import Side

_TIMEOUT = 5.0
_START = 30.0
_POLL = 0.5
_MARGIN = 3.0


def grow(design: str, progress: Progress) -> StackRecord:
    """Start one node more and have it take its part of new jobs; return the record with it.

    Raises :class:`TestbedError` for a stack that cannot, and if a node does not answer.
    """
    with lock.held(design, "scale"):
        record = _growing(design)
        newest = _newest(record)
        old = [each for each in nodes_of(record) if _address(each) in record.endpoints]
        # One that an earlier attempt has started, or that has not left yet.
        started = [each for each in nodes_of(record) if each not in old][:1]
        if not started:
            new = _started(record, old, progress)
            measured = f"{HOST}:{_metrics_port(record, old) + 1}"
            record = replace(
                record,
                processes=(*record.processes, new),
                metrics={**record.metrics, new.name: measured},
            )
            started = [new]
        grown = [*old, *started]
        newest = _next(newest, grown, list(newest.rings))
        progress(f"all nodes learn of {grown[-1].name}")
        record = _spread(record, newest, grown)
        newest = _next(newest, grown, [*newest.rings, _ring(grown)])
        progress(f"{grown[-1].name} takes its part of the request ids")
        record = _spread(record, newest, grown)
        return _announced(record, grown)


def shrink(design: str, discard: bool, progress: Progress) -> StackRecord:
    """Take the last node away; return the record without it.

    It has new jobs accepted elsewhere and goes on answering until all of its jobs have ended and
    have been forgotten; with ``discard`` as soon as they have ended. If that is interrupted it
    stays as it is then, and the next one goes on. Raises :class:`TestbedError`.
    """
    with lock.held(design, "scale"):
        record = _growing(design)
        if record.processes != (stacks.load(design) or record).processes:
            # It was interrupted when the node had left and ended.
            return _announced(record, nodes_of(record))
        if not discard and not float(record.settings.get("retention", 0)):
            raise TestbedError(
                f"the finished jobs of design {design} are kept for ever (retention is 0), so a "
                "node never becomes empty",
                "--discard gives up those of the node with their results; +retention=60 at the "
                "start lets them expire",
            )
        old, newest = nodes_of(record), _newest(record)
        left, leaving = old[:-1], old[-1]
        # First of all, so that whoever has a node join instead finds that this one has to.
        record = replace(record, endpoints=tuple(_address(each) for each in left))
        stacks.save(record)
        if _number(leaving) in newest.rings[-1].numbers:
            newest = _next(newest, old, [*newest.rings, _ring(left)])
            progress(f"{leaving.name} takes no more jobs")
            record = _spread(record, newest, old)
        _wait_until_empty(record, leaving, discard, progress)
        newest = _next(newest, left, list(newest.rings))
        record = _spread(record, newest, left)
        _end(record, leaving)
        return _announced(_without(record, leaving), left)


def nodes_of(record: StackRecord) -> list[ProcessRecord]:
    """Return the equal nodes of a stack in the order of their numbers, one that leaves included."""
    roles = {each.name.rpartition("-")[0] for each in record.processes if _is_entry(record, each)}
    found = [each for each in record.processes if each.name.rpartition("-")[0] in roles]
    return sorted(found, key=_number) if len(found) > 1 and len(roles) == 1 else []


def _is_entry(record: StackRecord, process: ProcessRecord) -> bool:
    return _address(process) in record.endpoints and process.name.rpartition("-")[2].isdecimal()


def _growing(design: str) -> StackRecord:
    """Return the record of a stack that can grow. Raises :class:`TestbedError`."""
    record = stacks.load(design)
    if record is None or not record.ready:
        raise TestbedError(f"design {design} is not up", f"start it: testbed up {design}")
    if not nodes_of(record):
        raise TestbedError(f"design {design} has no equal nodes, so it cannot be scaled")
    if record.settings.get("store", "memory") != "memory":
        raise TestbedError(
            "the nodes share a store and know nothing of each other",
            f"start it with as many as you want: testbed up {record.side}+nodes=8",
        )
    if record.runtime != "local":
        raise TestbedError(
            f"a stack that is up can be scaled as local processes, and this one runs in "
            f"{record.runtime}",
            "start it with as many nodes as you want: +nodes=8",
        )
    if record.links is not None:
        raise TestbedError(
            "a stack with links cannot be scaled: its proxy has no port for a new node",
            f"start it without: testbed down {design}, then testbed up {design}",
        )
    record = _without_ended(record)
    if dead := {each.name for each in record.processes} - {each.name for each in record.alive()}:
        raise TestbedError(
            f"every node has to learn of the change, and dead are: {', '.join(sorted(dead))}",
            f"`testbed fault heal {design}` starts them again",
        )
    return record


def _without_ended(record: StackRecord) -> StackRecord:
    """Return the record without the last node if that is none any more, and has ended.

    A command that was interrupted has not come to write it down.
    """
    last = nodes_of(record)[-1]
    if _address(last) in record.endpoints or last.process() is not None:
        return record
    left = _without(record, last)
    members = {each.number for each in _newest(left).members}
    return record if _number(last) in members else left


def _end(record: StackRecord, node: ProcessRecord) -> None:
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


def _started(
    record: StackRecord, old: Sequence[ProcessRecord], progress: Progress
) -> ProcessRecord:
    """Start a node like the last one, on the next ports; return once it serves."""
    last = old[-1]
    name, port = f"{last.name.rpartition('-')[0]}-{_number(last) + 1}", last.port + 1
    measured = _metrics_port(record, old) + 1
    _end_unrecorded(record, name)
    ports.require_free({port: f"{name}, gRPC", measured: f"{name}, metrics"})
    own = {"name": name, "listen": f"{HOST}:{port}", "metrics": f"{HOST}:{measured}"}
    peers = _peers(replace(last, name=name), old)
    timed = clock.environment(record.design, name) if record.clock else {}
    progress(f"starting {name}")
    new = processes.respawn(
        record.design,
        replace(
            last,
            name=name,
            port=port,
            log=str(stacks.log_file(record.design, name)),
            calls=_names(peers),
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
    return f"0:{'.'.join(str(_number(each)) for each in old)}"


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


def _wait_until_empty(
    record: StackRecord, leaving: ProcessRecord, discard: bool, progress: Progress
) -> None:
    while True:
        answer = _exchange(record, leaving, None)
        left = answer.unfinished_jobs if discard else answer.held_jobs
        if not left:
            return
        progress(
            f"{leaving.name} has {answer.unfinished_jobs:,} jobs to finish and answers for "
            f"{answer.held_jobs:,}"
        )
        time.sleep(_POLL)


def _newest(record: StackRecord) -> pb.Membership:
    answers = [_exchange(record, each, None).membership for each in nodes_of(record)]
    return max(answers, key=lambda each: each.version)


def _next(
    now: pb.Membership, members: Sequence[ProcessRecord], rings: Sequence[pb.RingOfHomes]
) -> pb.Membership:
    made = [pb.Member(number=_number(each), address=_address(each)) for each in members]
    return pb.Membership(version=now.version + 1, members=made, rings=rings)


def _ring(nodes: Sequence[ProcessRecord]) -> pb.RingOfHomes:
    return pb.RingOfHomes(numbers=[_number(each) for each in nodes])


def _spread(
    record: StackRecord, membership: pb.Membership, nodes: Sequence[ProcessRecord]
) -> StackRecord:
    """Have all nodes know a membership, also those that are started again; return the record."""
    rings = "/".join(".".join(map(str, ring.numbers)) for ring in membership.rings)
    text = f"{membership.version}:{rings}"
    names = {each.name for each in nodes}

    def knowing(each: ProcessRecord) -> ProcessRecord:
        peers = _peers(each, nodes)
        known = environment_of({"peers": peers, "membership": text})
        return replace(each, calls=_names(peers), environment={**each.environment, **known})

    changed = tuple(knowing(each) if each.name in names else each for each in record.processes)
    record = replace(record, processes=changed)
    stacks.save(record)
    for each in nodes:
        _exchange(record, each, membership)
    return record


def _peers(each: ProcessRecord, nodes: Sequence[ProcessRecord]) -> str:
    """Return the peers of a node among these, with those beside nodes that it has, as a cache."""
    role = role_of(each.name)
    given = each.environment.get(f"{PREFIX}PEERS", "").split(",")
    beside = [pair for pair in given if pair and role_of(pair.partition("=")[0]) != role]
    others = [f"{other.name}={_address(other)}" for other in nodes if other.name != each.name]
    return ",".join([*others, *beside])


def _names(peers: str) -> tuple[str, ...]:
    return tuple(sorted(pair.partition("=")[0] for pair in peers.split(",")))


def _exchange(
    record: StackRecord, node: ProcessRecord, membership: pb.Membership | None
) -> pb.ExchangeMembershipResponse:
    secret = stacks.secret_file(record.design).read_text(encoding="ascii").strip()
    request = pb.ExchangeMembershipRequest(membership=membership)
    who = ((CALLER, OPERATOR), (PROOF, secret))
    with connect.channel(_address(node)) as channel:
        ask: Callable[..., pb.ExchangeMembershipResponse] = MembershipServiceStub(
            channel
        ).ExchangeMembership
        try:
            return ask(request, timeout=_TIMEOUT, metadata=who, wait_for_ready=True)
        except grpc.RpcError as error:
            raise TestbedError(
                f"{node.name} does not take part in the change: {error.code().name}: "
                f"{error.details()}",
                "`testbed status` shows how it is; the same command goes on where this one ended",
            ) from error


def _without(record: StackRecord, leaving: ProcessRecord) -> StackRecord:
    kept = tuple(each for each in record.processes if each.name != leaving.name)
    metrics = {name: at for name, at in record.metrics.items() if name != leaving.name}
    return replace(record, processes=kept, metrics=metrics)


def _announced(record: StackRecord, nodes: Sequence[ProcessRecord]) -> StackRecord:
    """Save what the stack is now, for clients, Prometheus and whoever names it by its side."""
    slots = len(nodes) * int(nodes[0].environment[f"{PREFIX}SLOTS"])
    side = Side.parse(record.side)
    options = {**side.options, "nodes": str(len(nodes)), "slots": str(slots)}
    record = replace(
        record,
        endpoints=tuple(_address(each) for each in nodes),
        slots=slots,
        side=str(replace(side, options=options)),
    )
    stacks.save(record)
    targets.write_stack(record)
    return record


def _metrics_port(record: StackRecord, nodes: Sequence[ProcessRecord]) -> int:
    return metrics_port(record.metrics[nodes[-1].name])


def _number(node: ProcessRecord) -> int:
    return int(node.name.rpartition("-")[2])


def _address(node: ProcessRecord) -> str:
    return f"{HOST}:{node.port}"
