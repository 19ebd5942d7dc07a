"""A store whose jobs and queue show up in the metrics of their process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from common.domain.ids import IdMint
from common.metrics import JobMetrics, QueueMetrics
from common.ports import Clock, Jobs, Results, SharedState
from common.stores.coalesced import CoalescedState
from common.stores.store import Exposing, Store, StoredQueue


class ObservedStore:
    """Opens the owners' ports over a store; their metrics go into ``registry``."""

    def __init__(self, store: Store, registry: CollectorRegistry) -> None:
        self._store = store
        self._registry = registry
        if isinstance(store, Exposing):
            store.expose(registry)

    @property
    def clock(self) -> Clock:
        """The clock of all who share the store."""
        return self._store.clock

    def jobs(self, mint: IdMint) -> Jobs:
        """Open job metadata and state; ``mint`` makes the ids of new jobs."""
        metrics = JobMetrics(self._registry)
        jobs = self._store.jobs(mint, metrics)
        metrics.watch(jobs)
        return jobs

    def queue(self) -> StoredQueue:
        """Open queue membership."""
        metrics = QueueMetrics(self._registry)
        queue = self._store.queue(metrics)
        metrics.watch(queue)
        return queue

    def results(self) -> Results:
        """Open result payloads."""
        return self._store.results()

    def shared(self) -> SharedState | None:
        """Open what takes steps over all three at once, if the store can; they are open already."""
        state = self._store.shared()
        return state and CoalescedState(state)
