"""What a process shows of its store: how it answers, how it fails, and which server it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from common.buckets import Durations
from common.domain.errors import StoreFull, StoreUnreachable, StoreUnready


class StoreMetrics:
    """The ``StoreObserver`` port, and whether the store can be used."""

    def __init__(self) -> None:
        self._durations: dict[str, Durations] = defaultdict(Durations)
        self._errors = Counter(
            "taskqueue_store_errors",
            "What was asked of the store and not done, by the reason of the error",
            ["reason"],
            registry=None,
        )
        # From the beginning, so that their first rise shows.
        for kind in (StoreUnready, StoreUnreachable, StoreFull):
            self._errors.labels(reason=kind.reason)
        self._connects = Counter(
            "taskqueue_store_connects", "Connections made to the store", registry=None
        )
        self._changes = Counter(
            "taskqueue_store_primary_changes",
            "How often a connection led to another server than the one before",
            registry=None,
        )
        self._primary = _Primary()
        self._is_ready = False

    def expose(self, registry: CollectorRegistry) -> None:
        """Show them: only a process does whose store is outside."""
        for each in (self._errors, self._connects, self._changes, self._primary):
            registry.register(each)
        registry.register(
            _ByOperation("taskqueue_store_seconds", "Round trips to the store", self._durations)
        )
        gauge = Gauge("taskqueue_store_ready", "Whether the store can be used", registry=registry)
        gauge.set_function(lambda: self._is_ready)

    def asked(self, operation: str, seconds: float) -> None:
        """Note how long a round trip took."""
        self._durations[operation].observe(seconds)

    def failed(self, reason: str) -> None:
        """Count a failure."""
        self._errors.labels(reason=reason).inc()

    def connected(self, store: str, address: str) -> None:
        """Count a connection, and note where it leads."""
        self._connects.inc()
        before, self._primary.shown = self._primary.shown, (store, address)
        if before is not None and before != self._primary.shown:
            self._changes.inc()

    def ready(self, ready: bool) -> None:
        """Note whether it can be used."""
        self._is_ready = ready


class _Primary(Collector):
    """Shows which server was connected to last: of copies, the one taken for the primary."""

    def __init__(self) -> None:
        self.shown: tuple[str, str] | None = None

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "taskqueue_store_primary",
            "1 for the server that was connected to last, the primary if there are copies",
            labels=["store", "address"],
        )
        if self.shown is not None:
            family.add_metric(self.shown, 1)
        yield family


class _ByOperation(Collector):
    """Makes a metric of the durations of each operation when it is scraped."""

    def __init__(self, name: str, help_text: str, durations: Mapping[str, Durations]) -> None:
        self._name = name
        self._help_text = help_text
        self._durations = durations

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._help_text, labels=["operation"])
        for operation, durations in sorted(self._durations.items()):
            family.add_metric([operation], durations.buckets(), durations.seconds)
        yield family
