"""What a stack with a store asks it, and what that writes, for each job that finished."""

from __future__ import annotations

from collections.abc import Callable

from testbed.drive.figures.hops import enclosing
from testbed.record.calls import Window
from testbed.record.series import MetricSeries

TRIPS = "taskqueue_store_seconds_count"
# What each kind of server has written to its log by now, of which nothing is answered before.
WRITTEN = ("postgres_wal_bytes_total", "redis_aof_bytes")


def trips_per_job(
    metrics: MetricSeries, window: Window, finished_in: Callable[[Window], int]
) -> float | None:
    """Return the round trips to stores for each job; ``None`` without a store or jobs.

    A statement is one, and so is a script. Waiting for work, and what is asked once a second, is
    counted too. Jobs are counted between the scrapes around the window, as for
    :mod:`~testbed.drive.figures.hops`.
    """
    return _per_job(metrics, (TRIPS,), window, finished_in)


def bytes_per_job(
    servers: MetricSeries, window: Window, finished_in: Callable[[Window], int]
) -> float | None:
    """Return the bytes that stores wrote to their logs for each job; ``None`` as above."""
    return _per_job(servers, WRITTEN, window, finished_in)


def _per_job(
    series: MetricSeries,
    names: tuple[str, ...],
    window: Window,
    finished_in: Callable[[Window], int],
) -> float | None:
    around = enclosing(series, window)
    finished = finished_in(around)
    known = [name for name in names if series.label_sets(None, name)]
    if not known or not finished:
        return None
    return sum(series.increase(None, name, {}, around) for name in known) / finished
