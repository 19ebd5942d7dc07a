"""The overview: the designs side by side, line by line in the same panels."""

from __future__ import annotations

from testbed.stack.observability.dashboards.model import (
    Dashboard,
    Panel,
    Row,
    Variable,
    graph,
    number,
)

_D = 'design=~"$design"'
_RATE = "[$__rate_interval]"
_PUBLIC = f'grpc_service="taskqueue.v1.TaskQueueService", {_D}'
_CPU = f'sum by (design) (rate(process_cpu_seconds_total{{job="taskqueue", {_D}}}{_RATE}))'
_FINISHED = f"sum by (design) (rate(taskqueue_job_completion_seconds_count{{{_D}}}{_RATE}))"
_BY_METHOD = "{{design}} {{grpc_method}}"


def _percentile(quantile: float) -> Panel:
    name = f"p{quantile * 100:g}"
    return graph(
        f"Handling by the stack, {name}",
        "s",
        "How long public calls took in the process that answered them, over the last minute. In a "
        "design that forwards, a forwarded call is in it twice: at the entry and at its home.",
        (
            f"histogram_quantile({quantile}, design_method:handling_seconds_bucket:rate1m{{{_D}}})",
            _BY_METHOD,
        ),
        width=8,
    )


def _client_percentile(quantile: float) -> Panel:
    return graph(
        f"Seen by clients, p{quantile * 100:g}",
        "s",
        "How long a call took from its sending to its answer, as Locust measured it. Needs a "
        "Locust "
        "with --metrics-port.",
        (
            f"histogram_quantile({quantile}, sum by (design, method, le) (rate("
            f'taskqueue_load_call_seconds_bucket{{time="service", {_D}}}{_RATE})))',
            "{{design}} {{method}}",
        ),
        width=8,
    )


def _job_times(title: str, metric: str, description: str) -> Panel:
    return graph(
        title,
        "s",
        description,
        *(
            (
                f"histogram_quantile({quantile}, design:{metric}_bucket:rate1m{{{_D}}})",
                f"{{{{design}}}} p{quantile * 100:g}",
            )
            for quantile in (0.5, 0.95, 0.99)
        ),
    )


_GLANCE = Row(
    "At a glance",
    (
        number(
            "Processes that answer",
            "short",
            "Processes whose page of metrics can be read.",
            f'sum by (design) (up{{job="taskqueue", {_D}}})',
            "{{design}}",
        ),
        number(
            "Jobs finished at the moment",
            "suffix: jobs/s",
            "Jobs that reached a terminal state, each second.",
            _FINISHED,
            "{{design}}",
        ),
        number(
            "Calls that fail",
            "percentunit",
            "Public calls that ended with a code that no client provokes, over the last minute.",
            f"design:failed_calls:ratio_rate1m{{{_D}}}",
            "{{design}}",
        ),
        number(
            "Alerts",
            "short",
            "Alerts that fire at the moment, of all designs; Prometheus lists them under /alerts.",
            'count(ALERTS{alertstate="firing"}) or vector(0)',
            "firing",
        ),
    ),
)
_THROUGHPUT = Row(
    "Throughput and errors",
    (
        graph(
            "Calls by clients",
            "reqps",
            "Calls of clients that were answered, whichever way; forwarded ones count once.",
            (f"sum by (design) (design_method:client_calls:rate1m{{{_D}}})", "{{design}}"),
        ),
        graph(
            "Jobs finished",
            "suffix: jobs/s",
            "Jobs that reached a terminal state.",
            (_FINISHED, "{{design}}"),
        ),
        graph(
            "Calls by clients, by method",
            "reqps",
            "The same calls by method.",
            (f"design_method:client_calls:rate1m{{{_D}}}", _BY_METHOD),
        ),
        graph(
            "Answers other than OK",
            "reqps",
            "By code. FAILED_PRECONDITION is mostly a result that was asked for too early, which "
            "is "
            "no failure.",
            (
                "sum by (design, grpc_code) (rate(grpc_server_handled_total{"
                f'{_PUBLIC}, grpc_code!="OK"}}{_RATE}))',
                "{{design}} {{grpc_code}}",
            ),
        ),
    ),
)
_LATENCY = Row(
    "Latency by method",
    (
        *(_percentile(quantile) for quantile in (0.5, 0.95, 0.99)),
        *(_client_percentile(quantile) for quantile in (0.5, 0.95, 0.99)),
    ),
)
_JOBS = Row(
    "Jobs",
    (
        _job_times("Completion time", "job_completion_seconds", "From acceptance to the end."),
        _job_times("Wait for a slot", "job_wait_seconds", "From acceptance to the first start."),
        graph(
            "Queue depth",
            "short",
            "Jobs that wait, in all queues of a design.",
            (f"design:queue_depth:sum{{{_D}}}", "{{design}}"),
        ),
        graph(
            "Age of the oldest waiting job",
            "s",
            "How long the first in line has waited; of several queues, the longest wait.",
            (f"max by (design) (taskqueue_queue_oldest_age_seconds{{{_D}}})", "{{design}}"),
        ),
    ),
)
_WORKERS = Row(
    "Workers",
    (
        graph(
            "Workers alive",
            "short",
            "Workers whose heartbeat came within the timeout.",
            (f"sum by (design) (taskqueue_workers_alive{{{_D}}})", "{{design}}"),
            width=8,
        ),
        graph(
            "Execution slots",
            "short",
            "Slots of the workers alive, and those that hold a job. Equal in total in every "
            "design.",
            (f"sum by (design) (taskqueue_slots{{{_D}}})", "{{design}} all"),
            (f"sum by (design) (taskqueue_slots_busy{{{_D}}})", "{{design}} busy"),
            width=8,
        ),
        graph(
            "Saturation",
            "percentunit",
            "Busy slots as a part of all. At 100 % the queue takes what is more.",
            (
                f"sum by (design) (taskqueue_slots_busy{{{_D}}}) "
                f"/ sum by (design) (taskqueue_slots{{{_D}}})",
                "{{design}}",
            ),
            width=8,
            most=1,
        ),
    ),
)
_COST = Row(
    "Cost",
    (
        graph(
            "CPU",
            "suffix: cores",
            "CPU time of the processes. Child processes, which run the kinds of job that burn CPU, "
            "are not in it; in containers the accounting below has them.",
            (_CPU, "{{design}}"),
            width=8,
        ),
        graph(
            "CPU per finished job",
            "s",
            "The same over the jobs that finished; without load it says nothing.",
            (f"{_CPU} / ({_FINISHED} > 0)", "{{design}}"),
            width=8,
        ),
        graph(
            "Memory",
            "bytes",
            "Resident memory of the processes.",
            (
                f'sum by (design) (process_resident_memory_bytes{{job="taskqueue", {_D}}})',
                "{{design}}",
            ),
            width=8,
        ),
    ),
)
_CONTAINERS = Row(
    "Budgets of containers",
    (
        graph(
            "CPU of the budget",
            "percentunit",
            "CPU time as a part of the limit, child processes included. Containers only.",
            (
                f"sum by (design) (rate(taskqueue_cgroup_cpu_seconds_total{{{_D}}}{_RATE})) "
                f"/ sum by (design) (taskqueue_cgroup_cpu_limit_cores{{{_D}}})",
                "{{design}}",
            ),
            width=8,
            most=1,
        ),
        graph(
            "Throttled periods",
            "percentunit",
            "Scheduling periods in which a container had used up its budget. Containers only.",
            (
                "sum by (design) (rate("
                f"taskqueue_cgroup_cpu_throttled_periods_total{{{_D}}}{_RATE})) "
                f"/ sum by (design) (rate(taskqueue_cgroup_cpu_periods_total{{{_D}}}{_RATE}))",
                "{{design}}",
            ),
            width=8,
            most=1,
        ),
        graph(
            "Memory of the budget",
            "percentunit",
            "Memory as a part of the limit, of the fullest container. Containers only.",
            (
                f"max by (design) (taskqueue_cgroup_memory_bytes{{{_D}}} "
                f"/ taskqueue_cgroup_memory_limit_bytes{{{_D}}})",
                "{{design}}",
            ),
            width=8,
            most=1,
        ),
    ),
)

DASHBOARD = Dashboard(
    "taskqueue-overview",
    "Task queue: overview",
    "The designs side by side: what they do, how fast, at which cost.",
    (Variable("design", 'up{job="taskqueue"}', "design"),),
    (_GLANCE, _THROUGHPUT, _LATENCY, _JOBS, _WORKERS, _COST, _CONTAINERS),
)
