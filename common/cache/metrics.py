"""What a process shows of its cache."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

KINDS = ("late", "unreachable", "unconnected", "unkept", "crowded")
"""What may fail at a node."""


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
            "What failed in the cache, by kind and node; no call fails for it",
            ["kind", "node"],
            registry=registry,
        )
        self._found = Counter(
            "taskqueue_cache_node_lookups",
            "What was looked for at a node, and answered there",
            ["node", "found"],
            registry=registry,
        )
        self._answers = Gauge(
            "taskqueue_cache_node_answers",
            "Whether a node answers, as this process sees it",
            ["node"],
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

    def watch_node(self, name: str, answers: Callable[[], bool]) -> None:
        """Read whether a node answers when scraped."""
        self._answers.labels(node=name).set_function(answers)

    def node(self, name: str) -> NodeMetrics:
        """Return what observes the node of that name."""
        return NodeMetrics(name, self._trips, self._failures, self._found)

    def looked(self, answer: str, *, hit: bool) -> None:
        """Count an answer that was found, or was not."""
        self._lookups.labels(answer=answer, found=_found(hit)).inc()

    def failed(self, kind: str) -> None:
        """Count a failure of no node by itself."""
        self._failures.labels(kind=kind, node="").inc()


class NodeMetrics:
    """The ``NodeObserver`` port: what one node of the cache is asked, and what it has."""

    def __init__(self, name: str, trips: Counter, failures: Counter, found: Counter) -> None:
        self._name = name
        self._trips = trips
        self._failures = failures
        for kind in KINDS:
            failures.labels(kind=kind, node=name)
        self._hits = found.labels(node=name, found=_found(True))
        self._misses = found.labels(node=name, found=_found(False))

    def asked(self, operation: str) -> None:
        """Count a round trip."""
        self._trips.labels(operation=operation).inc()

    def looked(self, *, hit: bool) -> None:
        """Count what was looked for and answered."""
        (self._hits if hit else self._misses).inc()

    def failed(self, kind: str) -> None:
        """Count a failure."""
        self._failures.labels(kind=kind, node=self._name).inc()


def _found(hit: bool) -> str:
    return "hit" if hit else "miss"
