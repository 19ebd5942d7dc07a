"""What keeps the state of a process; imported by those alone that have any."""

from __future__ import annotations

from common import stores
from common.rpc.process import Process
from common.stores import ObservedStore
from common.stores.metrics import StoreMetrics


def open_store(process: Process) -> ObservedStore:
    """Open what keeps the state of a process, which serves only while that can be used.

    Raises ``ConfigError`` for a store that is among no peers.
    """
    metrics = StoreMetrics()
    store = stores.open_store(process.settings, process.clock, metrics)
    if store.remote:
        metrics.expose(process.registry)
        process.serve_while(store.refresh, metrics.ready)
    process.on_close(store.close)
    return ObservedStore(store, process.registry)
