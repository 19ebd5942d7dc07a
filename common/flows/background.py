"""Work that outlives the call which caused it, so that nothing is left half done."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar, cast

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
        """Do a piece of work and return its answer; if the call is canceled it goes on alone.

        A canceled call ends whatever runs in its task, so the work needs one of its own; but only
        from where it first waits for something. What waits for nothing is done in the call's task,
        which is not canceled meanwhile: a task more costs as much as all that is done around a
        call. Up to there ``asyncio.current_task()`` is the call's.
        """
        own = contextvars.copy_context()
        bounded = self._bounded(work)
        try:
            awaited = own.run(bounded.send, None)
        except StopIteration as done:
            return cast(T, done.value)
        task = self._begin(_resumed(bounded, awaited), own)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise

    async def drain(self) -> None:
        """Wait until all work has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(
        self, work: Coroutine[Any, Any, T], own: contextvars.Context | None = None
    ) -> asyncio.Task[T]:
        task = asyncio.create_task(work, context=own)
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


async def _resumed(work: Coroutine[Any, Any, T], awaited: Any) -> T:
    """Go on with a coroutine that has come to wait for ``awaited``, and return its answer."""
    # A task takes nothing but a coroutine of its own kind; from Python 3.12 on no generator.
    return await _steps(work, awaited)


@types.coroutine
def _steps(work: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """Pass on what the coroutine awaits, and to it what comes of that."""
    try:
        while True:
            try:
                sent = yield awaited
            except BaseException as error:
                awaited = work.throw(error)
            else:
                awaited = work.send(sent)
    except StopIteration as done:
        return cast(T, done.value)


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.info("failed after its caller had disconnected: %s", error)
