"""Stores, their copies, and the cache in front of them."""

from __future__ import annotations

from testbed.stack.observability.dashboards.model import (
    Dashboard,
    Row,
    Variable,
    graph,
    number,
)
from testbed.stack.observability.dashboards.servers import COPIES, POSTGRES, REDIS

_D = 'design=~"$design"'
_RATE = "[$__rate_interval]"
_TRIPS = f"taskqueue_store_seconds_count{{{_D}}}"
_LOOKUPS = "taskqueue_cache_lookups_total"
_AT_NODES = "taskqueue_cache_node_lookups_total"


def _rate(name: str, by: str, where: str = "") -> str:
    return f"sum by ({by}) (rate({name}{{{_D}{where}}}{_RATE}))"


def _hits(name: str, by: str) -> str:
    """Return the part of lookups that hit; nothing while there are none."""
    hits = _rate(name, by, ', found="hit"')
    return f"{hits} / ({_rate(name, by)} > 0)"


_GLANCE = Row(
    "At a glance",
    (
        number(
            "Processes that cannot use their store",
            "short",
            "0 is as it should be. Calls that need the store fail with UNAVAILABLE in such a "
            "process, and its health says so. See below for why: errors, and whether the server "
            "is up (`testbed status`).",
            f"sum by (design) (1 - taskqueue_store_ready{{{_D}}})",
            "{{design}}",
        ),
        number(
            "Errors of stores",
            "ops",
            "What was asked of a store and not done, of any kind. Each is a call that failed, or "
            "that its caller has to send again; 0 is as it should be.",
            _rate("taskqueue_store_errors_total", "design"),
            "{{design}}",
        ),
        number(
            "Primary changed, times",
            "short",
            "How often a process has been led to another server since its start, at most. Each "
            "failover counts once; without copies it is 0. More than you made yourself: look for a "
            "primary that is overloaded or badly reached.",
            f"max by (design) (taskqueue_store_primary_changes_total{{{_D}}})",
            "{{design}}",
        ),
        number(
            "Cache hits",
            "percentunit",
            "Part of all reads of jobs that the cache answered. Only answers of jobs that have "
            "ended are kept, and with a store that may lose its last writes from a minute later "
            "on: clients that ask earlier lower it. Needs cache=.",
            _hits(_LOOKUPS, "design"),
            "{{design}}",
        ),
    ),
)
_USE = Row(
    "Stores, as the processes see them",
    (
        graph(
            "Store can be used",
            "short",
            "1 if the process reaches its store and may write there, 0 if not. It is tried again "
            "every second; a 0 that stays means that the server is down or out of reach.",
            (f"min by (design, process) (taskqueue_store_ready{{{_D}}})", "{{design}} {{process}}"),
            width=8,
            most=1,
        ),
        graph(
            "Errors by reason",
            "ops",
            "STORE_UNREADY: nothing was done, as the server is away or refuses. STORE_UNREACHABLE: "
            "it was asked and did not answer, so it may have been done. STORE_FULL: memory or disk "
            "have run out, so make room or raise the limit.",
            (
                _rate("taskqueue_store_errors_total", "design, process, reason"),
                "{{design}} {{process}} {{reason}}",
            ),
            width=8,
        ),
        graph(
            "Connections made",
            "ops",
            "Processes connect once, at their start, and again after a connection was lost. A "
            "steady rate means that connections do not last: see the log of the server.",
            (_rate("taskqueue_store_connects_total", "design, process"), "{{design}} {{process}}"),
            width=8,
        ),
        graph(
            "Round trips",
            "ops",
            "Scripts of Redis, or statements of PostgreSQL, by what they do. An idle stack has a "
            "few each second: those compare clocks, read gauges and wait for work.",
            (
                _rate("taskqueue_store_seconds_count", "design, operation"),
                "{{design}} {{operation}}",
            ),
        ),
        graph(
            "Time of a round trip, p99",
            "s",
            "From the sending to the answer. It includes the wait for the disk, for locks and for "
            "replicas, if commits wait for those. Operations named wait do so on purpose.",
            (
                "histogram_quantile(0.99, sum by (design, operation, le) (rate("
                f"taskqueue_store_seconds_bucket{{{_D}}}{_RATE})))",
                "{{design}} {{operation}}",
            ),
        ),
        graph(
            "Round trips for each job",
            "short",
            "All round trips over the jobs that finished. More than usual at the same load: fewer "
            "jobs share a trip. Without jobs it is empty.",
            (
                f"sum by (design) (rate({_TRIPS}{_RATE})) / (sum by (design) (rate("
                f"taskqueue_job_completion_seconds_count{{{_D}}}{_RATE})) > 0)",
                "{{design}}",
            ),
        ),
        graph(
            "Calls that wait for the store",
            "short",
            "On average, at any time, by process. If it grows while the load does not, the store "
            "is what has become slow. Requests that wait for work on purpose are not in it.",
            (
                _rate("taskqueue_store_waiting_seconds_total", "design, process"),
                "{{design}} {{process}}",
            ),
        ),
    ),
)
_CACHE = Row(
    "Cache",
    (
        graph(
            "Lookups",
            "ops",
            "Reads of jobs by what was looked for and whether it was there. A miss asks the owner "
            "of the job, as every read does without a cache.",
            (_rate(_LOOKUPS, "design, answer, found"), "{{design}} {{answer}} {{found}}"),
        ),
        graph(
            "Hits by node",
            "percentunit",
            "Part of what was looked for at a node that was there. One node far below the others "
            "has lost what it had, or is too small for its part and drops it.",
            (_hits(_AT_NODES, "design, node"), "{{design}} {{node}}"),
            most=1,
        ),
        graph(
            "Lookups by node",
            "ops",
            "What each node was asked and has answered. The ring shares jobs out about equally; "
            "the part of a node that is away goes to the others.",
            (_rate(_AT_NODES, "design, node"), "{{design}} {{node}}"),
            width=8,
        ),
        graph(
            "Nodes that answer",
            "short",
            "1 if every process that asks the node gets answers, 0 if one or more do not and leave "
            "it out. No call fails for that, but its part is asked of the owners once more. "
            "Start the node again; it may be empty.",
            (
                f"min by (design, node) (taskqueue_cache_node_answers{{{_D}}})",
                "{{design}} {{node}}",
            ),
            width=8,
            most=1,
        ),
        graph(
            "Failures",
            "ops",
            "late: no answer in 0.1 s. unreachable: the connection was lost. unconnected: a try to "
            "connect, once a second while a node is away. unkept: an answer was not stored. "
            "crowded: too many waited to be stored. unreadable: what was there is damaged.",
            (
                _rate("taskqueue_cache_failures_total", "design, node, kind"),
                "{{design}} {{node}} {{kind}}",
            ),
            width=8,
        ),
    ),
)

DASHBOARD = Dashboard(
    "taskqueue-stores",
    "Task queue: stores and cache",
    "Redis and PostgreSQL where the state is kept there, their copies, and the cache. Empty for a "
    "stack that keeps its state in memory and has no cache.",
    (Variable("design", 'up{job="taskqueue"}', "design"),),
    (_GLANCE, _USE, COPIES, POSTGRES, REDIS, _CACHE),
)
