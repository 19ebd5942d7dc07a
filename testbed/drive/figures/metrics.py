"""The figures that a comparison is made of: their names, labels and units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from testbed.stats import Better

PERCENTILES = (50, 95, 99)
CALLS = (
    "SubmitJob",
    "GetJobStatus",
    "GetJobResult",
    "GetJobResult (not finished)",
    "CancelJob",
    "CancelJob (already finished)",
    "ListJobs",
)


@dataclass(frozen=True)
class Figure:
    """One number of one trial: ``value`` is ``None`` where there is none to give.

    ``samples`` is what it rests on, 0 where that has no meaning; ``too_few`` says that samples
    exist but not enough of them for this percentile.
    """

    value: float | None
    samples: int = 0
    too_few: bool = False


@dataclass(frozen=True)
class Metric:
    """A figure's name in files, its label and unit for a reader, and its group in the table.

    ``is_count`` marks whole numbers, for which a ratio of designs says nothing. ``better`` is the
    direction that is to be wished for, ``None`` if a difference is neither good nor bad. One that
    is ``optional`` is shown if any side has it: it is of something that a stack may be without.
    """

    name: str
    label: str
    unit: str
    group: str
    is_count: bool = False
    better: Better | None = "lower"
    optional: bool = False


THROUGHPUT = (
    Metric("requests_per_second", "requests answered", "1/s", "throughput", better="higher"),
    Metric("jobs_per_second", "jobs finished", "1/s", "throughput", better="higher"),
)
JOB_TIMES = (
    *(
        Metric(f"completion_p{each}_ms", f"completion p{each}", "ms", "jobs, submit to finish")
        for each in PERCENTILES
    ),
    Metric("queue_wait_p50_ms", "wait for a slot p50", "ms", "jobs, submit to finish"),
)
COST = (
    Metric("cpu_ms_per_job", "stack CPU per finished job", "ms", "cost"),
    Metric("internal_calls_per_job", "internal calls per finished job", "calls", "cost"),
    Metric("internal_bytes_per_job", "internal bytes per finished job", "bytes", "cost"),
    Metric("stack_cores", "stack CPU", "cores", "cost", better=None),
    Metric("peak_rss_mib", "stack peak memory (RSS)", "MiB", "cost"),
    Metric("generator_cores", "load generator CPU", "cores", "cost", better=None),
)
STORES = (
    Metric(
        "store_trips_per_job",
        "round trips to stores per finished job",
        "trips",
        "stores",
        optional=True,
    ),
    Metric(
        "store_bytes_per_job",
        "written by stores per finished job",
        "bytes",
        "stores",
        optional=True,
    ),
)
CACHES = (
    Metric(
        "cache_hits_percent",
        "reads of jobs answered by the cache",
        "%",
        "cache",
        better="higher",
        optional=True,
    ),
    Metric(
        "cache_trips_per_job",
        "round trips to the cache per finished job",
        "trips",
        "cache",
        optional=True,
    ),
)
CHECKS = (
    Metric("errors_definite", "errors, definite", "calls", "checks", is_count=True, better=None),
    Metric(
        "errors_indefinite", "errors, indefinite", "calls", "checks", is_count=True, better=None
    ),
    Metric("jobs_accepted", "jobs accepted", "jobs", "checks", is_count=True, better=None),
    Metric("jobs_lost", "jobs lost", "jobs", "checks", is_count=True, better=None),
    Metric(
        "jobs_expired",
        "jobs expired",
        "jobs",
        "checks",
        is_count=True,
        better=None,
        optional=True,
    ),
    Metric("jobs_rerun", "jobs run again", "jobs", "checks", is_count=True, better=None),
)


def latency(call: str, percent: int) -> Metric:
    """Return the metric of one percentile of one kind of call."""
    slug = "".join(letter if letter.isalnum() else "_" for letter in call).strip("_")
    while "__" in slug:
        slug = slug.replace("__", "_")
    return Metric(
        f"{slug}_p{percent}_ms", f"{call} p{percent}", "ms", "calls, as a client sees them"
    )


def catalogue(calls: Iterable[str]) -> tuple[Metric, ...]:
    """Return all metrics in the order of the table, for the kinds of call that were seen."""
    seen = set(calls)
    ordered = [call for call in CALLS if call in seen] + sorted(seen - set(CALLS))
    latencies = tuple(latency(call, percent) for call in ordered for percent in PERCENTILES)
    return THROUGHPUT + latencies + JOB_TIMES + COST + STORES + CACHES + CHECKS
