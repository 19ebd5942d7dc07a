"""Where the state of the owners is kept: one store a module or package, opened from the settings.

A store implements the owners' ports, ``Jobs``, ``Queue`` and ``Results``, of which a process opens
those that it serves. All stores keep the same rules, see ``tests/conformance``.
"""

from __future__ import annotations

from common.config import POSTGRES, REDIS, Settings
from common.ports import Clock, StoreObserver
from common.stores.memory import MemoryStore
from common.stores.observed import ObservedStore
from common.stores.store import Store

__all__ = ["ObservedStore", "Store", "open_store"]


def open_store(settings: Settings, clock: Clock, observer: StoreObserver) -> Store:
    """Return the store that the settings name; ``clock`` is that of the process.

    Raises ``ConfigError`` for one that is among no peers.
    """
    # What a store needs is loaded only by who has it.
    if settings.store == REDIS:
        from common.stores.redis import RedisStore  # noqa: PLC0415

        return RedisStore(settings, clock, observer)
    if settings.store == POSTGRES:
        from common.stores.postgres import PostgresStore  # noqa: PLC0415

        return PostgresStore(settings, clock, observer)
    return MemoryStore(settings, clock)
