"""The inside of a design: every process and every hop, worked out from its topology."""

from __future__ import annotations

from common.topology import Topology, role_of
from testbed.stack.observability.dashboards.model import Dashboard, Panel, Row, Variable, graph
from testbed.stack.sides.side import headline, title

_RATE = "[$__rate_interval]"
_BY = "{{process}}"


def dashboard(topology: Topology) -> Dashboard:
    """Return the dashboard of a design."""
    design = topology.design
    selected = f'design="{design}", process=~"$process"'
    return Dashboard(
        f"taskqueue-inside-{design}",
        f"Task queue: inside {title(design)}",
        f"{headline(design)}, {topology.title}: every process and every hop.",
        (Variable("process", f'up{{job="taskqueue", design="{design}"}}', "process"),),
        (
            _processes(selected),
            _calls(selected),
            *(_hop(selected, caller, peer) for caller, peer in hops(topology)),
            _jobs(selected),
            _workers(selected),
            _scrapes(selected),
        ),
    )


def hops(topology: Topology) -> list[tuple[str, str]]:
    """Return the pairs of roles that call each other, in the order of the processes."""
    pairs = [(role_of(caller), role_of(peer)) for caller, peer in topology.calls_between_ours()]
    return list(dict.fromkeys(pairs))


def _processes(selected: str) -> Row:
    return Row(
        "Processes",
        (
            graph(
                "CPU",
                "suffix: cores",
                "CPU time of each process, its children left out. One process uses one core at "
                "most, "
                "as it has one event loop.",
                (
                    "sum by (process) (rate("
                    f'process_cpu_seconds_total{{job="taskqueue", {selected}}}{_RATE}))',
                    _BY,
                ),
                width=8,
            ),
            graph(
                "Memory",
                "bytes",
                "Resident memory of each process.",
                (
                    "sum by (process) (process_resident_memory_bytes"
                    f'{{job="taskqueue", {selected}}})',
                    _BY,
                ),
                width=8,
            ),
            graph(
                "Calls in flight",
                "short",
                "Calls begun and not yet ended, those included that wait for work on purpose.",
                (
                    f"sum by (process) (grpc_server_started_total{{{selected}}}) "
                    f"- sum by (process) (grpc_server_handled_total{{{selected}}})",
                    _BY,
                ),
                width=8,
            ),
        ),
    )


def _calls(selected: str) -> Row:
    by = "by (process, grpc_method)"
    caller = f"sum by (process, grpc_method, caller) (rate({{name}}{{{{{selected}}}}}{_RATE}))"
    count = caller.format(name="taskqueue_handling_seconds_count")
    total = caller.format(name="taskqueue_handling_seconds_sum")
    waiting = caller.format(name="taskqueue_waiting_seconds_total")
    legend = "{{process}} {{grpc_method}} by {{caller}}"
    return Row(
        "Calls, in the process that answers them",
        (
            graph(
                "Calls answered",
                "reqps",
                "Calls that ended, by process, method and caller.",
                (count, legend),
            ),
            graph(
                "Handling, p99",
                "s",
                "From the start of a handler to its end. FetchWork waits for work on purpose.",
                (
                    f"histogram_quantile(0.99, sum {by[:-1]}, le) (rate("
                    f"grpc_server_handling_seconds_bucket{{{selected}}}{_RATE})))",
                    "{{process}} {{grpc_method}}",
                ),
            ),
            graph(
                "Own part of the handling, mean",
                "s",
                "Mean handling without the time in which a peer's answer was awaited. It is time "
                "on "
                "the clock: other calls on the same loop run in it.",
                (f"({total} - {waiting}) / ({count} > 0)", legend),
            ),
            graph(
                "Waiting for peers, mean",
                "s",
                "The other part of the mean handling: what the hops below take.",
                (f"{waiting} / ({count} > 0)", legend),
            ),
        ),
    )


def _hop(selected: str, caller: str, peer: str) -> Row:
    of = f'{selected}, role="{caller}", peer="{peer}"'
    legend = "{{grpc_method}}"
    return Row(
        f"Hop {caller} → {peer}",
        (
            graph(
                f"{caller} → {peer}: calls",
                "reqps",
                f"Calls of {caller} to {peer} that ended, by method, and those that failed.",
                (
                    "sum by (grpc_method) (rate("
                    f"grpc_client_handling_seconds_count{{{of}}}{_RATE}))",
                    legend,
                ),
                (
                    "sum(rate(grpc_client_handled_total"
                    f'{{{of}, grpc_code!="OK"}}{_RATE})) or vector(0)',
                    "failed",
                ),
                width=8,
            ),
            *(_hop_time(f"{caller} → {peer}", of, quantile) for quantile in (0.5, 0.99)),
        ),
    )


def _hop_time(hop: str, of: str, quantile: float) -> Panel:
    return graph(
        f"{hop}: time, p{quantile * 100:g}",
        "s",
        "From the start of the call to its answer, as the caller measures it: the way there and "
        "back, and the handling.",
        (
            f"histogram_quantile({quantile}, sum by (grpc_method, le) (rate("
            f"grpc_client_handling_seconds_bucket{{{of}}}{_RATE})))",
            "{{grpc_method}}",
        ),
        width=8,
    )


def _jobs(selected: str) -> Row:
    return Row(
        "Jobs and queues",
        (
            graph(
                "Jobs by state",
                "short",
                "Jobs that the owners hold; terminal ones stay.",
                (f"sum by (state) (taskqueue_jobs{{{selected}}})", "{{state}}"),
            ),
            graph(
                "Queue",
                "short",
                "Entries that wait, and those that are leased to a worker.",
                (f"sum by (process) (taskqueue_queue_depth{{{selected}}})", "{{process}} waiting"),
                (f"sum by (process) (taskqueue_queue_leased{{{selected}}})", "{{process}} leased"),
            ),
            graph(
                "Age of the oldest waiting job",
                "s",
                "How long the first in line has waited, by queue.",
                (f"max by (process) (taskqueue_queue_oldest_age_seconds{{{selected}}})", _BY),
            ),
            graph(
                "Out of the ordinary",
                "ops",
                "Leases that ended without an outcome, so that a job runs again, and steps that "
                "were "
                "rejected, by reason.",
                (
                    f"sum by (process) (rate(taskqueue_redeliveries_total{{{selected}}}{_RATE}))",
                    "{{process}} redelivered",
                ),
                (
                    "sum by (process, reason) (rate("
                    f"taskqueue_rejected_transitions_total{{{selected}}}{_RATE}))",
                    "{{process}} {{reason}}",
                ),
            ),
        ),
    )


def _workers(selected: str) -> Row:
    return Row(
        "Workers",
        (
            graph(
                "Slots in use",
                "short",
                "As the workers themselves say; several workers of one name add up.",
                (f"sum by (process) (taskqueue_worker_slots_busy{{{selected}}})", _BY),
            ),
            graph(
                "Heartbeat age",
                "s",
                "How long the most silent worker has sent no heartbeat, by who watches it.",
                (f"max by (process) (taskqueue_heartbeat_age_seconds{{{selected}}})", _BY),
            ),
        ),
    )


def _scrapes(selected: str) -> Row:
    return Row(
        "The observer's own cost",
        (
            graph(
                "Reading a page",
                "s",
                "How long reading the metrics of a process took. Most of it is CPU time of that "
                "process, every five seconds.",
                (f"max by (process) (scrape_duration_seconds{{{selected}}})", _BY),
            ),
            graph(
                "Samples on a page",
                "short",
                "How many values a page has.",
                (f"max by (process) (scrape_samples_scraped{{{selected}}})", _BY),
            ),
        ),
    )
