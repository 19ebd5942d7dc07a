"""The containers of a stack as its processes: recorded, inspected, stopped in order."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from docker.models.containers import Container

from common.topology import ProcessSpec, Topology
from testbed.stack import records as stacks
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes import ProcessStatus, Progress, Usage, health
from testbed.stack.runtimes.compose import containers
from testbed.stack.runtimes.order import waves


def records(topology: Topology, inside: Sequence[ProcessSpec]) -> tuple[ProcessRecord, ...]:
    """Return a record of each process of a topology whose containers have just been started.

    ``inside`` are the same processes as they were started in there.
    """
    found = containers.find(topology.design)
    return tuple(
        _record(topology, each, within, found[each.name])
        for each, within in zip(topology.processes, inside, strict=True)
    )


def _record(
    topology: Topology, process: ProcessSpec, inside: ProcessSpec, container: Container
) -> ProcessRecord:
    asked = inside.ready.command
    command = ("docker", "exec", str(container.id), *asked) if asked else ()
    return ProcessRecord(
        name=process.name,
        pid=int(container.attrs["State"]["Pid"]),
        create_time=containers.started_unix(container),
        port=process.port,
        log=str(stacks.log_file(topology.design, process.name)),
        calls=topology.calls(process.name),
        container=container.id or "",
        module=inside.module,
        command=inside.command,
        ports=process.ports,
        ready=replace(inside.ready, command=command),
        stop_signal=inside.stop_signal,
        service=inside.service,
    )


def stop_in_order(
    record: StackRecord | None,
    running: Mapping[str, Container],
    grace: float,
    progress: Progress,
) -> list[str]:
    """Stop callers before those whom they call; return the names of those that were killed."""
    known = [each for each in (record.processes if record else ()) if each.name in running]
    order = [[each.name for each in wave] for wave in waves(known)]
    strays = [name for name in running if name not in {each.name for each in known}]
    killed: list[str] = []
    for names in [*order, strays]:
        if not names:
            continue
        progress(f"stopping {', '.join(names)}")
        late = containers.stop([running[name] for name in names], grace)
        killed += [name for name in names if running[name].id in late]
    return killed


def status(
    record: ProcessRecord,
    metrics: str,
    container: Container | None,
    reported: Mapping[str, str],
    used: Mapping[str, Usage],
) -> ProcessStatus:
    """Return how a process is, whose container is ``None`` if it does not run.

    ``reported`` is what health services say and ``used`` what containers have used, by process.
    """
    if container is None or record.name not in used:
        return ProcessStatus(record, metrics, "dead")
    return ProcessStatus(
        record,
        metrics,
        reported.get(record.name, health.NO_ANSWER),
        time.time() - containers.started_unix(container),
        used[record.name].cpu_seconds,
        used[record.name].memory_bytes,
    )
