"""Serves what is counted of a load to Prometheus, from the one process that has all of it.

That is the master, or Locust's only process. It is fed the parts that the ledger is fed, once a
second, so a call costs nothing more than it does with ``--record``. Workers serve nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from common.buckets import BUCKETS
from taskqueue_load.tally import Part

OUTCOMES = ("answered", "expected", "definite", "indefinite")
_SUMS = {
    "due": "Calls that were due",
    "sent": "Calls that were sent",
    "dropped": "Calls that were due and not sent, as too many were in flight",
}
# The highest number in flight is that of so many seconds: what Prometheus reads, it misses none of.
_RECENT = 5


@dataclass
class _Times:
    """A histogram: how many calls fell into each bucket, and the seconds of all together."""

    counts: list[int]
    seconds: float = 0.0


class Exporter(Collector):
    """The counts of all tests of this process. ``users`` and ``processes`` are asked when read.

    Counters go on from one test to the next, as Prometheus expects.
    """

    def __init__(self, users: Callable[[], int], processes: Callable[[], int]) -> None:
        self._users = users
        self._processes = processes
        self._drive: dict[str, str] = {}
        self._driving = False
        self._design = ""
        self._sums: dict[str, Counter[str]] = {}
        self._errors: Counter[tuple[str, str, str]] = Counter()
        self._times: dict[tuple[str, str, str], _Times] = defaultdict(
            lambda: _Times([0] * (len(BUCKETS) + 1))
        )
        self._cpu = 0.0
        self._in_flight: dict[int, int] = {}

    def serve(self, host: str, port: int) -> None:
        """Serve from now on. Raises ``OSError`` if the port cannot be had."""
        registry = CollectorRegistry()
        registry.register(self)
        start_http_server(port, host, registry)

    def begin(self, design: str, target: str, load: str) -> None:
        """A test begins: of which design, at which host, with which load in words."""
        self._drive = {"design": design, "target": target, "load": load}
        self._driving = True
        self._design = design
        self._sums.setdefault(design, Counter(dict.fromkeys((*_SUMS, *OUTCOMES, "accepted"), 0)))

    def end(self) -> None:
        """The test is over."""
        self._driving = False
        self._in_flight.clear()

    def add(self, part: Part) -> None:
        """Add what a process has counted."""
        sums = self._sums[self._design]
        for second, row in part.rows.items():
            for name in (*_SUMS, *OUTCOMES):
                sums[name] += getattr(row, name)
            self._cpu += row.generator_cpu
            self._in_flight[second] = self._in_flight.get(second, 0) + row.in_flight_max
        oldest = max(self._in_flight, default=0) - _RECENT
        self._in_flight = {at: most for at, most in self._in_flight.items() if at > oldest}
        sums["accepted"] += part.accepted
        for name, kinds in part.error_kinds.items():
            for kind, count in kinds.items():
                self._errors[self._design, name, kind] += count
        for (_, tag), counts in part.times.items():
            name, _, kind = tag.rpartition("|")
            _count(self._times[self._design, name, kind], counts)

    def collect(self) -> Iterator[Metric]:
        """Make the page."""
        yield from self._gauges()
        yield from self._counters()
        times = HistogramMetricFamily(
            "taskqueue_load_call_seconds",
            "Answered calls: service time, delay of the sending, and response time as their sum",
            labels=["design", "method", "time"],
        )
        for labels, each in self._times.items():
            times.add_metric(labels, _buckets(each.counts), each.seconds)
        yield times

    def _gauges(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("taskqueue_load_users", "Users that run", value=self._users())
        yield GaugeMetricFamily(
            "taskqueue_load_processes", "Processes that send", value=self._processes()
        )
        yield GaugeMetricFamily(
            "taskqueue_load_in_flight",
            f"Most calls in flight in one second of the last {_RECENT}",
            value=max(self._in_flight.values(), default=0),
        )
        driving = GaugeMetricFamily(
            "taskqueue_load_driving",
            "1 while a test runs, and which",
            labels=["design", "target", "load"],
        )
        if self._drive:
            driving.add_metric(list(self._drive.values()), float(self._driving))
        yield driving

    def _counters(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "taskqueue_load_generator_cpu_seconds", "CPU time of all processes", value=self._cpu
        )
        jobs = _family("taskqueue_load_accepted_jobs", "Jobs that were accepted", "design")
        ended = _family(
            "taskqueue_load_calls_ended", "Calls by how they ended", "design", "outcome"
        )
        for design, sums in self._sums.items():
            jobs.add_metric([design], sums["accepted"])
            for outcome in OUTCOMES:
                ended.add_metric([design, outcome], sums[outcome])
        yield jobs
        yield ended
        for name, text in _SUMS.items():
            family = _family(f"taskqueue_load_calls_{name}", text, "design")
            for design, sums in self._sums.items():
                family.add_metric([design], sums[name])
            yield family
        errors = _family(
            "taskqueue_load_errors", "Calls that failed, by method and error", *_ERROR_LABELS
        )
        for labels, count in self._errors.items():
            errors.add_metric(labels, count)
        yield errors


_ERROR_LABELS = ("design", "method", "error")


def _family(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=labels)


def _count(times: _Times, counts: dict[int, int]) -> None:
    for microseconds, count in counts.items():
        seconds = microseconds / 1e6
        times.counts[bisect_left(BUCKETS, seconds)] += count
        times.seconds += seconds * count


def _buckets(counts: list[int]) -> list[tuple[str, float]]:
    """Return what lies at or below each bound, as the page wants it."""
    below, total = [], 0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
        total += count
        below.append((bound, float(total)))
    return below
