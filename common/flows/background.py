"""Work that outlives the call which caused it, such as taking back half of what it did."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

from common import context
from common.domain.errors import TaskQueueError

logger = logging.getLogger(__name__)


class Background:
    """Runs such work, each piece with its own deadline, and waits for it when the process ends."""

    def __init__(self, timeout: float = 5.0) -> None:
        self._timeout = timeout
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None], what: str) -> None:
        """Begin a piece of work; a failure is logged as a failure to do ``what``."""
        task = asyncio.create_task(self._run(work, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait until all work has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, work: Coroutine[object, object, None], what: str) -> None:
        try:
            with context.call(context.correlation_id(), self._timeout):
                await asyncio.wait_for(work, self._timeout)
        except (TaskQueueError, TimeoutError) as error:
            logger.warning("could not %s: %s", what, error or "timed out")
