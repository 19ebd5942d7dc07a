"""The budget of this process and what it has used of it, as metrics.

Only a process with a container of its own and a limit on that has one, as
:func:`common.cgroup.own` finds out. Any other process has no such metric, rather than a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from common import cgroup
from common.cgroup import Accounting

PREFIX = "taskqueue_cgroup_"

# Field of an account -> its metric, with its help text.
_COUNTERS = {
    "cpu_seconds": ("cpu_seconds", "CPU time used by the container"),
    "throttled_seconds": (
        "cpu_throttled_seconds",
        "Time in which the container was kept from running by its limit, over all cores",
    ),
    "periods": ("cpu_periods", "Periods of the CPU limit in which the container ran"),
    "throttled_periods": ("cpu_throttled_periods", "Periods that the CPU limit cut short"),
}
_GAUGES = {
    "cpu_limit_cores": ("cpu_limit_cores", "Cores that the container may use"),
    "memory_bytes": ("memory_bytes", "Memory of the container without inactive file pages"),
    "memory_peak_bytes": ("memory_peak_bytes", "Most memory that the container ever had"),
    "memory_limit_bytes": ("memory_limit_bytes", "Memory that the container may have"),
}


def expose(registry: CollectorRegistry, read: Callable[[], Accounting | None] = cgroup.own) -> None:
    """Add the account of this process to its metrics, if it has one now."""
    if read() is not None:
        registry.register(_Account(read))


class _Account(Collector):
    """Reads the account anew at each scrape."""

    def __init__(self, read: Callable[[], Accounting | None]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Give a metric for each field that is known."""
        found = self._read()
        for field, (name, text) in _COUNTERS.items():
            if (value := getattr(found, field, None)) is not None:
                yield CounterMetricFamily(PREFIX + name, text, value=value)
        for field, (name, text) in _GAUGES.items():
            if (value := getattr(found, field, None)) is not None:
                yield GaugeMetricFamily(PREFIX + name, text, value=value)
