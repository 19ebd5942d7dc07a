"""Whether a process serves, as its health says: while what it needs can be used."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from grpc_health.v1 import health, health_pb2

from common import context
from common.domain.errors import TaskQueueError

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two calls of it."""
TIMEOUT = 5.0
"""Seconds that one may take."""
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Readiness:
    """The health of a process; ``servicer`` is the standard one."""

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()
        self._names: Sequence[str] = ()
        self._ready = True

    async def start(self, names: Sequence[str]) -> None:
        """Say from now on of these services whether they serve."""
        self._names = names
        await self._set(self._ready)

    async def stop(self) -> None:
        """Say from now on that nothing serves."""
        await self.servicer.enter_graceful_shutdown()

    def wait(self) -> None:
        """Do not serve until :meth:`watch` has found that it can."""
        self._ready = False

    async def watch(
        self, refresh: Callable[[], Awaitable[None]], on_ready: Callable[[bool], None]
    ) -> None:
        """Until canceled: call ``refresh`` now and then, and serve while it succeeds.

        It raises ``TaskQueueError`` while it does not, such as that a store is out of reach.
        """
        while True:
            problem = None
            try:
                with context.call(timeout=TIMEOUT):
                    await refresh()
            except TaskQueueError as error:
                problem = error
            if (problem is None) != self._ready:
                logger.warning("%s", problem or "serves: what it needs is there")
                await self._set(problem is None)
            on_ready(self._ready)
            await asyncio.sleep(PAUSE)

    async def _set(self, ready: bool) -> None:
        self._ready = ready
        for name in self._names:
            await self.servicer.set(name, _SERVING if ready else _NOT_SERVING)
