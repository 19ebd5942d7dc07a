"""What a stack with a cache finds there, and what it asks for that."""

from __future__ import annotations

from collections.abc import Callable

from testbed.drive.figures.hops import enclosing
from testbed.record.calls import Window
from testbed.record.series import MetricSeries

LOOKUPS = "taskqueue_cache_lookups_total"
TRIPS = "taskqueue_cache_trips_total"


def hits_percent(metrics: MetricSeries, window: Window) -> float | None:
    """Return the part of all reads of jobs that the cache answered, in percent.

    Reads of jobs that have not ended are among them, and no cache answers those. ``None`` without a
    cache or reads.
    """
    looked = metrics.increase(None, LOOKUPS, {}, window)
    if not looked:
        return None
    return 100 * metrics.increase(None, LOOKUPS, {"found": "hit"}, window) / looked


def trips_per_job(
    metrics: MetricSeries, window: Window, finished_in: Callable[[Window], int]
) -> float | None:
    """Return the round trips to the cache for each job, ``None`` without a cache or jobs.

    Jobs are counted between the scrapes around the window, as for
    :mod:`~testbed.drive.figures.hops`.
    """
    around = enclosing(metrics, window)
    finished = finished_in(around)
    if not metrics.label_sets(None, TRIPS) or not finished:
        return None
    return metrics.increase(None, TRIPS, {}, around) / finished
