"""A cache of virtual nodes, which lose, miss and bring back what they please."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from common import guarantees
from common.cache.keeping import Keeping
from common.cache.metrics import CacheMetrics
from common.cache.queue import CachedTaskQueue
from common.ports import TaskQueue

NAME = "cache-1"
_NODES = 3
_TRIP = 0.002
_FAILING = 0.2


class SimulatedCache:
    """What all processes of a design keep. No node ever drops anything, however old."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._nodes: list[dict[str, bytes]] = [{} for _ in range(_NODES)]

    async def get(self, key: str) -> bytes | None:
        """Ask any of the nodes, as processes do that do not agree which of them answer."""
        await asyncio.sleep(self._random.random() * _TRIP)
        if self._random.random() < _FAILING:
            return None
        return self._random.choice(self._nodes).get(key)

    def put(self, key: str, value: bytes, milliseconds: int) -> None:
        """Have one of them keep something."""
        if self._random.random() >= _FAILING:
            self._random.choice(self._nodes)[key] = value

    def open(self, process: Any, queue: TaskQueue, clock: Any, _: object) -> TaskQueue:
        """Do what ``common.cache.opened.open_cache`` does."""
        settings = process.settings
        keeping = Keeping(clock, settings.retention, guarantees.of(settings)["durability"])
        return CachedTaskQueue(queue, self, keeping, CacheMetrics(process.registry))
