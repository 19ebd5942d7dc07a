"""The load from Locust's side."""

from __future__ import annotations

from testbed.stack.observability.dashboards.model import Dashboard, Panel, Row, Variable, graph

_D = 'design=~"$design"'
_RATE = "[$__rate_interval]"


def _rate(name: str, by: str = "design") -> str:
    return f"sum by ({by}) (rate(taskqueue_load_{name}_total{{{_D}}}{_RATE}))"


def _percentile(quantile: float, time: str, title: str, description: str) -> Panel:
    return graph(
        f"{title}, p{quantile * 100:g}",
        "s",
        description,
        (
            f"histogram_quantile({quantile}, sum by (design, method, le) (rate("
            f'taskqueue_load_call_seconds_bucket{{time="{time}", {_D}}}{_RATE})))',
            "{{design}} {{method}}",
        ),
        width=8,
    )


def _mean(name: str, by: str, where: str) -> str:
    return (
        f"sum by ({by}) (rate({name}_sum{{{where}}}{_RATE})) "
        f"/ (sum by ({by}) (rate({name}_count{{{where}}}{_RATE})) > 0)"
    )


_SERVICE = "From the sending of a call to its answer."
_RESPONSE = (
    "From when a call was due to its answer, so the wait of a late call counts. Open loops only."
)

DASHBOARD = Dashboard(
    "taskqueue-load",
    "Task queue: load",
    "What Locust sends and what it sees, from a Locust with --metrics-port.",
    (Variable("design", "taskqueue_load_calls_sent_total", "design"),),
    (
        Row(
            "What is sent",
            (
                graph(
                    "Calls due, sent and dropped",
                    "reqps",
                    "In an open loop sent falls behind due when the generator is late, and calls "
                    "are "
                    "dropped when too many are in flight: then the load was not what was asked "
                    "for.",
                    (_rate("calls_due"), "{{design}} due"),
                    (_rate("calls_sent"), "{{design}} sent"),
                    (_rate("calls_dropped"), "{{design}} dropped"),
                ),
                graph(
                    "Jobs accepted",
                    "suffix: jobs/s",
                    "Submits that were answered OK.",
                    (_rate("accepted_jobs"), "{{design}}"),
                ),
                graph(
                    "Users and calls in flight",
                    "short",
                    "Users that run, and the most calls that were in flight in one second of the "
                    "last "
                    "five.",
                    ('taskqueue_load_users{job="load"}', "users {{instance}}"),
                    ('taskqueue_load_in_flight{job="load"}', "in flight {{instance}}"),
                ),
                graph(
                    "Generator",
                    "percentunit",
                    "CPU time of Locust as a part of one core for each process that sends. Above "
                    "90 % "
                    "its latencies are partly its own.",
                    (
                        "rate(taskqueue_load_generator_cpu_seconds_total"
                        f'{{job="load"}}{_RATE}) / (taskqueue_load_processes{{job="load"}} > 0)',
                        "{{instance}}",
                    ),
                ),
            ),
        ),
        Row(
            "What is answered",
            (
                graph(
                    "Calls by how they ended",
                    "reqps",
                    "Expected: an error that the client provoked knowingly. Definite: a failure "
                    "that "
                    "had no effect. Indefinite: a failure that may have had one.",
                    (_rate("calls_ended", "design, outcome"), "{{design}} {{outcome}}"),
                ),
                graph(
                    "Failures",
                    "reqps",
                    "Calls that failed, by method and error. Empty as long as there is none.",
                    (
                        _rate("errors", "design, method, error"),
                        "{{design}} {{method}}: {{error}}",
                    ),
                ),
            ),
        ),
        Row(
            "Latency by method",
            (
                *(_percentile(q, "service", "Service time", _SERVICE) for q in (0.5, 0.95, 0.99)),
                *(_percentile(q, "response", "Response time", _RESPONSE) for q in (0.5, 0.99)),
                _percentile(
                    0.99,
                    "delay",
                    "Send delay",
                    "How late calls were sent: what the generator itself adds. Open loops only.",
                ),
            ),
        ),
        Row(
            "Both sides",
            (
                graph(
                    "Service time at the client, mean",
                    "s",
                    "The mean as Locust measures it.",
                    (
                        _mean(
                            "taskqueue_load_call_seconds",
                            "design, method",
                            f'time="service", {_D}',
                        ),
                        "{{design}} {{method}}",
                    ),
                ),
                graph(
                    "Handling of the same calls in the stack, mean",
                    "s",
                    "The mean at the process that clients call. What it is less than the "
                    "client's is "
                    "on the way, or waits for a core.",
                    (
                        _mean(
                            "taskqueue_handling_seconds",
                            "design, grpc_method",
                            f'caller="client", {_D}',
                        ),
                        "{{design}} {{grpc_method}}",
                    ),
                ),
            ),
        ),
    ),
)
