"""A cache, opened by the process that reads from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from common import guarantees
from common.cache.keeping import Keeping
from common.cache.metrics import CacheMetrics
from common.cache.node import CacheNode
from common.cache.nodes import CacheNodes
from common.cache.queue import CachedTaskQueue
from common.ports import Clock, TaskQueue
from common.rpc.process import Process


def open_cache(
    process: Process, queue: TaskQueue, clock: Clock, addresses: Mapping[str, str]
) -> TaskQueue:
    """Return the queue behind the nodes at these addresses, by name."""
    metrics = CacheMetrics(process.registry)
    opened = {
        name: CacheNode(address, metrics.node(name), process.background)
        for name, address in addresses.items()
    }
    for name, node in opened.items():
        metrics.watch_node(name, partial(_answers, node))
        process.run_beside(node.watch)
        process.on_close(node.close)
    nodes = CacheNodes(opened)
    metrics.watch(nodes.answering)
    settings = process.settings
    keeping = Keeping(clock, settings.retention, guarantees.of(settings)["durability"])
    return CachedTaskQueue(queue, nodes, keeping, metrics)


def _answers(node: CacheNode) -> bool:
    return node.answers
