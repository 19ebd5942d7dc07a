"""Panels of the servers that keep the state: copies of them, PostgreSQL, Redis."""

from __future__ import annotations

from testbed.stack.observability.dashboards.model import Row, graph

_D = 'design=~"$design"'
_RATE = "[$__rate_interval]"
_BY = "{{design}} {{process}}"


def _of_database(name: str) -> str:
    """Return a figure of the database of a process: of all that share one, one samples it."""
    return f"max by (design, process) (taskqueue_store_{name}{{{_D}}})"


COPIES = Row(
    "Copies",
    (
        graph(
            "Who the primary is",
            "short",
            "How many processes took this address for the primary when they last connected. Two "
            "lines of one store for longer than a failover takes: some processes are connected to "
            "an old primary, and what they write there may be lost. Without copies it is the only "
            "server.",
            (
                f"count by (design, store, address) (taskqueue_store_primary{{{_D}}})",
                "{{design}} {{store}}: {{address}}",
            ),
        ),
        graph(
            "Changes of the primary",
            "short",
            "How often each process was led to another server since its start. A step is a "
            "failover.",
            (f"sum by (design, process) (taskqueue_store_primary_changes_total{{{_D}}})", _BY),
        ),
        graph(
            "Replicas that follow",
            "short",
            "Copies that receive what the primary writes: 2 if all three are there. With 0 of them "
            "what is accepted is on one server alone, or is refused if an answer waits for "
            "replicas. Start the copy that is away.",
            (_of_database("replicas"), _BY),
        ),
        graph(
            "Lag of the slowest replica",
            "bytes",
            "What the primary has written and this replica has not yet: so much is lost if it "
            "takes over now, unless answers wait for it. It grows while a replica is slow or "
            "stands still. Needs copies.",
            (_of_database("replica_lag_bytes"), _BY),
        ),
    ),
)
POSTGRES = Row(
    "PostgreSQL",
    (
        graph(
            "Oldest snapshot",
            "s",
            "How long the oldest transaction has been open that still may see old rows. Until it "
            "ends, vacuum removes no row that died since. Minutes mean that somebody left one "
            "open: pg_stat_activity says who, pg_terminate_backend ends it.",
            (_of_database("oldest_snapshot_seconds"), _BY),
            width=8,
        ),
        graph(
            "Oldest snapshot in transactions",
            "short",
            "The same as the number of transactions that began since. This counts replication "
            "slots too: one that nobody reads any more holds back vacuum for ever, until it is "
            "dropped.",
            (_of_database("oldest_snapshot_transactions"), _BY),
            width=8,
        ),
        graph(
            "Queue of notifications",
            "percentunit",
            "Part in use of the server's queue of NOTIFY, which wakes who waits for work. When it "
            "is full no transaction with a notification commits. It fills while a session that "
            "listens stays in a transaction: end that session.",
            (_of_database("notification_queue_ratio"), _BY),
            width=8,
            most=1,
        ),
        graph(
            "Dead rows",
            "short",
            "Rows that were deleted or replaced and that vacuum has not removed yet. Up and down "
            "is as it should be; a steady climb means that vacuum is held back or is too slow.",
            (
                f"max by (design, process, table) (taskqueue_store_dead_rows{{{_D}}})",
                _BY + " {{table}}",
            ),
        ),
        graph(
            "Size of tables",
            "bytes",
            "With their indexes. `entries` is bounded by what waits, `jobs` and `results` grow for "
            "ever unless there is a retention. A table that stays large with few rows is bloated.",
            (
                f"max by (design, process, table) (taskqueue_store_table_bytes{{{_D}}})",
                _BY + " {{table}}",
            ),
        ),
        graph(
            "Connections in use",
            "percentunit",
            "Connections of a process on which a statement was under way at that moment, as a part "
            "of those that it may have.",
            (
                f"sum by (design, process) (taskqueue_store_connections_used{{{_D}}}) "
                f"/ sum by (design, process) (taskqueue_store_connections_limit{{{_D}}})",
                _BY,
            ),
            width=8,
            most=1,
        ),
        graph(
            "Statements that wait for a connection",
            "short",
            "On average, at any time. Steadily above 0: all connections of the process are busy, "
            "as statements take long. Look at the time of a round trip, and at what the server "
            "waits for.",
            (
                "sum by (design, process) (rate("
                f"taskqueue_store_pool_waiting_seconds_total{{{_D}}}{_RATE}))",
                _BY,
            ),
            width=8,
        ),
        graph(
            "Sessions of the server",
            "percentunit",
            "Sessions of everybody as a part of max_connections. At 100 % nobody can connect any "
            "more: find in pg_stat_activity who has so many.",
            (
                f"max by (design) (taskqueue_store_sessions{{{_D}}} "
                f"/ taskqueue_store_sessions_limit{{{_D}}})",
                "{{design}}",
            ),
            width=8,
            most=1,
        ),
    ),
)
REDIS = Row(
    "Redis",
    (
        graph(
            "Memory in use",
            "bytes",
            "What each Redis has in memory. Without a retention it grows with every job.",
            (_of_database("memory_bytes"), _BY),
        ),
        graph(
            "Memory of the limit",
            "percentunit",
            "The same as a part of maxmemory. At 100 % submits are refused with RESOURCE_EXHAUSTED "
            "and running jobs still end: raise the limit, or keep jobs for a shorter time "
            "(retention=). Empty if there is no limit.",
            (
                f"max by (design, process) (taskqueue_store_memory_bytes{{{_D}}} "
                f"/ taskqueue_store_memory_limit_bytes{{{_D}}})",
                _BY,
            ),
            most=1,
        ),
    ),
)
