"""Work that outlives the call which caused it, so that nothing is left half done."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import types
from asyncio import tasks
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
        call. Up to there ``asyncio.current_task()`` is one that stands for the work's own: a limit
        of time that begins there has to end the work, and not the call.
        """
        own = contextvars.copy_context()
        bounded = self._bounded(work)
        stand_in = _StandIn()
        try:
            awaited = _first_step(stand_in, own, bounded)
        except StopIteration as done:
            return cast(T, done.value)
        task = stand_in.task = self._begin(_resumed(stand_in, bounded, awaited), own)
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


class _StandIn:
    """Stands for a task that there may be later, to whoever means to cancel it then."""

    task: asyncio.Task[Any] | None = None
    has_begun = False

    def cancel(self, msg: object = None) -> bool:
        if self.task is None or self.has_begun:
            return self.task is not None and self.task.cancel(msg)
        # A task that is canceled before it begins never does; its first step is next.
        asyncio.get_running_loop().call_soon(self.task.cancel, msg)
        return True

    def done(self) -> bool:
        return self.task is not None and self.task.done()

    def uncancel(self) -> int:
        return self.task.uncancel() if self.task is not None else 0

    def cancelling(self) -> int:
        return self.task.cancelling() if self.task is not None else 0


def _first_step(
    stand_in: _StandIn, own: contextvars.Context, work: Coroutine[Any, Any, Any]
) -> Any:
    """Run a coroutine up to where it first waits, and return for what."""
    loop, caller, current = asyncio.get_running_loop(), tasks.current_task(), cast(Any, stand_in)
    assert caller is not None
    tasks._leave_task(loop, caller)
    tasks._enter_task(loop, current)
    try:
        return own.run(work.send, None)
    finally:
        tasks._leave_task(loop, current)
        tasks._enter_task(loop, caller)


async def _resumed(stand_in: _StandIn, work: Coroutine[Any, Any, T], awaited: Any) -> T:
    """Go on with a coroutine that has come to wait for ``awaited``, and return its answer."""
    stand_in.has_begun = True
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
