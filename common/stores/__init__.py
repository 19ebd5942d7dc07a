"""Where the state of the owners is kept: one store a module or package, opened from the settings.

A store implements the owners' ports, ``Jobs``, ``Queue`` and ``Results``, of which a process opens
those that it serves. All stores keep the same rules, see ``tests/conformance``.
"""

from __future__ import annotations

from common.config import Settings
from common.ports import Clock
from common.stores.memory import MemoryStore
from common.stores.observed import ObservedStore
from common.stores.store import Store

__all__ = ["ObservedStore", "Store", "open_store"]


def open_store(settings: Settings, clock: Clock) -> Store:
    """Return the store that the settings name."""
    return MemoryStore(settings, clock)
