"""Work that outlives the call which caused it, so that nothing is left half done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from common import context
from common.domain.errors import TaskQueueError

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Background:
    """Runs such work, each piece with its own deadline, and waits for it when the process ends.

    ``timeout`` is the time for one piece, in seconds.
    """

    def __init__(self, timeout: float = 5.0) -> None:
        self._timeout = timeout
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Begin a piece of work; a failure is logged as a failure to do ``what``."""
        self._begin(self._logged(work, what))

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do a piece of work and return its answer; if the call is canceled it goes on alone."""
        task = self._begin(self._bounded(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise

    async def drain(self) -> None:
        """Wait until all work has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _bounded(self, work: Coroutine[Any, Any, T]) -> T:
        with context.call(context.correlation_id(), self._timeout, context.caller()):
            return await work

    async def _logged(self, work: Coroutine[Any, Any, None], what: str) -> None:
        # No call waits for this; the task has a context of its own.
        context.handle(None)
        try:
            await self._bounded(work)
        except TaskQueueError as error:
            logger.warning("could not %s: %s", what, error)


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.info("failed after its caller had disconnected: %s", error)
