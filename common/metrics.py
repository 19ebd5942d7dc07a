"""The domain's metrics, under the same names in every design.

Each class is constructed on a registry by the process that holds the owner it watches. Gauges read
the owner when they are scraped; histograms and counters observe each step as it is taken.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from common.buckets import Durations
from common.domain import errors
from common.domain.errors import TaskQueueError
from common.domain.job import MICROSECONDS, Execution, Job, JobState
from common.owners.liveness import LivenessOwner
from common.ports import JobCounts, QueueGauges

logger = logging.getLogger(__name__)


class JobMetrics:
    """The ``JobObserver`` port: jobs by state, how long they waited and ran, rejected steps."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._wait = _histogram("taskqueue_job_wait", "From acceptance to first start", registry)
        self._execution = _histogram(
            "taskqueue_job_execution", "From the latest start to the end", registry
        )
        self._completion = _histogram(
            "taskqueue_job_completion", "From acceptance to the end", registry
        )
        self._rejected = Counter(
            "taskqueue_rejected_transitions",
            "Steps that the lifecycle table does not have, by reason",
            ["reason"],
            registry=registry,
        )
        for kind in (errors.TransitionRejected, errors.StaleAttempt):
            self._rejected.labels(reason=kind.reason)

    def watch(self, jobs: JobCounts) -> None:
        """Read the number of jobs in each state when scraped."""
        gauge = Gauge("taskqueue_jobs", "Jobs by state", ["state"], registry=self._registry)
        for state in JobState:
            gauge.labels(state=state.name).set_function(partial(_count, jobs, state))

    def transitioned(self, before: Job | None, after: Job) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "job is %s",
                after.state.name,
                extra={"job_id": after.id, "attempt": after.attempt, "worker": after.worker},
            )
        if before is None or after.state is before.state:
            return
        if after.state is JobState.RUNNING and after.start_time is not None:
            self._wait.observe((after.start_time - after.create_time) / MICROSECONDS)
        if after.finish_time is not None:
            self._completion.observe((after.finish_time - after.create_time) / MICROSECONDS)
            if after.start_time is not None:
                self._execution.observe((after.finish_time - after.start_time) / MICROSECONDS)

    def rejected(self, error: TaskQueueError) -> None:
        self._rejected.labels(reason=error.reason).inc()
        logger.warning("step rejected: %s", error, extra=dict(error.metadata))


class QueueMetrics:
    """The ``QueueObserver`` port: depth and age of the queue, and redeliveries."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._redeliveries = Counter(
            "taskqueue_redeliveries", "Leases that ended without acknowledgement", registry=registry
        )

    def watch(self, queue: QueueGauges) -> None:
        """Read depth and age when scraped."""
        for name, help_text, read in (
            ("queue_depth", "Jobs that wait in the queue", queue.depth),
            ("queue_leased", "Jobs that are leased to a worker", queue.leased),
            ("queue_oldest_age_seconds", "How long the first in line has waited", queue.oldest_age),
        ):
            _gauge(f"taskqueue_{name}", help_text, self._registry).set_function(read)

    def redelivered(self, execution: Execution) -> None:
        self._redeliveries.inc()
        logger.info("lease ended", extra={"job_id": execution.job_id, "attempt": execution.attempt})


def watch_liveness(owner: LivenessOwner, registry: CollectorRegistry) -> None:
    """Read workers and their slots from the owner."""
    for name, help_text, read in (
        ("workers_alive", "Workers seen within the heartbeat timeout", owner.alive),
        ("heartbeat_age_seconds", "Since the most silent worker was seen", owner.silence),
        ("slots", "Execution slots of the workers alive", owner.slots),
        ("slots_busy", "Execution slots that hold a job", owner.slots_busy),
    ):
        _gauge(f"taskqueue_{name}", help_text, registry).set_function(read)


def _count(jobs: JobCounts, state: JobState) -> float:
    return jobs.counts()[state]


def _histogram(name: str, help_text: str, registry: CollectorRegistry) -> Durations:
    durations = Durations()
    registry.register(_Shown(f"{name}_seconds", help_text, durations))
    return durations


class _Shown(Collector):
    """Makes a metric of durations when it is scraped."""

    def __init__(self, name: str, help_text: str, durations: Durations) -> None:
        self._name = name
        self._help_text = help_text
        self._durations = durations

    def collect(self) -> Iterator[Metric]:
        buckets, total = self._durations.buckets(), self._durations.seconds
        yield HistogramMetricFamily(self._name, self._help_text, buckets, total)


def _gauge(name: str, help_text: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, help_text, registry=registry)
