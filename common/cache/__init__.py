"""Terminal statuses and results, read from a cache of Redis nodes before whoever owns them.

An answer that shows a terminal state never changes, so a copy of it is never wrong; docs/cache.md
says for how long one is kept. Without such nodes among its peers a process has no cache.
"""

from __future__ import annotations

from common.config import Settings
from common.ports import Clock, TaskQueue
from common.rpc.process import Process

_PREFIX = "cache-"


def is_node(name: str) -> bool:
    """Return whether a peer of that name is a node of the cache."""
    return name.startswith(_PREFIX)


def nodes_of(settings: Settings) -> dict[str, str]:
    """Return the ``host:port`` of each node of the cache by its name."""
    return {name: address for name, address in settings.peers.items() if is_node(name)}


def cached(process: Process, queue: TaskQueue, clock: Clock) -> TaskQueue:
    """Return the queue behind the cache of the process, or as it is if it has none.

    ``clock`` is that of the jobs, or as near to it as there is one.
    """
    addresses = nodes_of(process.settings)
    if not addresses:
        return queue
    # What a cache needs is loaded only by who has one.
    from common.cache.opened import open_cache  # noqa: PLC0415

    return open_cache(process, queue, clock, addresses)
