"""What a process shows of its cache."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class CacheMetrics:
    """Answers found and not found, round trips and failures, and how many nodes answer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._lookups = Counter(
            "taskqueue_cache_lookups",
            "Answers that were looked for in the cache",
            ["answer", "found"],
            registry=registry,
        )
        self._trips = Counter(
            "taskqueue_cache_trips",
            "Round trips to nodes of the cache",
            ["operation"],
            registry=registry,
        )
        self._failures = Counter(
            "taskqueue_cache_failures",
            "What failed in the cache, by kind; no call fails for it",
            ["kind"],
            registry=registry,
        )

        # From the beginning, so that their first rise shows.
        for answer in ("status", "result"):
            for found in ("hit", "miss"):
                self._lookups.labels(answer=answer, found=found)
        for operation in ("get", "put"):
            self._trips.labels(operation=operation)

    def watch(self, answering: Callable[[], int]) -> None:
        """Read the number of nodes that answer when scraped."""
        gauge = Gauge(
            "taskqueue_cache_nodes", "Nodes of the cache that answer", registry=self._registry
        )
        gauge.set_function(answering)

    def looked(self, answer: str, *, hit: bool) -> None:
        """Count an answer that was found, or was not."""
        self._lookups.labels(answer=answer, found="hit" if hit else "miss").inc()

    def asked(self, operation: str) -> None:
        """Count a round trip."""
        self._trips.labels(operation=operation).inc()

    def failed(self, kind: str) -> None:
        """Count a failure."""
        self._failures.labels(kind=kind).inc()
