"""Processes that burn CPU for jobs, one per execution at a time.

Each is a pebble pool of one. One pool of many would stop a process by its number after a check of
what it ran, and in between that process may have taken the next job, which would then never end.
Here a cancel or a timeout stops the whole pool of one, and nothing else is in it.

A pebble pool wakes up twenty times a second even if it has nothing to do, about 0.2 % of a core
each. So processes start with the first job that needs them, and those that were not needed for
some seconds are stopped: an idle stack has none.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from concurrent.futures import BrokenExecutor
from typing import Any

from pebble import ProcessExpired, ProcessPool

from common.domain.job import Outcome
from common.handlers.registry import Handler
from common.worker import child
from common.worker.outcomes import failed_by, process_died

logger = logging.getLogger(__name__)

_DEATHS = (ProcessExpired, BrokenExecutor)


class CpuProcess:
    """One process. Start it, run one handler at a time, stop it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([child.__name__])
        self._lifeline, self._theirs = self._context.Pipe(duplex=False)
        self._pool = ProcessPool(
            max_workers=1,
            context=self._context,
            initializer=child.initialize,
            initargs=(self._theirs,),
        )
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._started = self._loop.run_in_executor(None, self._start)
        self._stopped: asyncio.Task[None] | None = None
        self._watched = False

    async def start(self) -> None:
        """Wait until the process exists. May be canceled; raises ``RuntimeError`` if it cannot."""
        if self._watched:
            return
        await asyncio.shield(self._started)
        # The process holds the only other end of the pipe, which becomes readable when it ends.
        # Pebble itself checks ten times a second and takes exit code 0 for a regular end.
        self._loop.add_reader(self._lifeline.fileno(), self._end)
        self._watched = True

    @property
    def alive(self) -> bool:
        """Whether the process can run a handler; asks the pipe, not only the event loop."""
        return not self._ended.done() and not self._lifeline.poll()

    async def run(self, handler: Handler[Any], payload: bytes) -> Outcome:
        """Run a handler. If canceled the handler goes on until the process is stopped."""
        try:
            promise = self._pool.schedule(child.run, args=(handler, payload))
        except RuntimeError:
            self._end()
            return process_died()
        answer = asyncio.wrap_future(promise, loop=self._loop)
        answer.add_done_callback(_retrieve)
        await asyncio.wait((answer, self._ended), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            return process_died()
        error = answer.exception()
        if error is None:
            outcome: Outcome = answer.result()
            return outcome
        self._end()
        return process_died() if isinstance(error, _DEATHS) else failed_by(error)

    async def stop(self) -> None:
        """Kill the process and wait until it has exited. May be called again, also at once."""
        if self._stopped is None:
            self._stopped = asyncio.create_task(self._stop())
        await asyncio.shield(self._stopped)

    def _start(self) -> None:
        # Reading this property starts the pool, and takes as long as a process takes to start.
        if not self._pool.active:
            raise RuntimeError("the pool did not start")
        self._theirs.close()

    def _end(self) -> None:
        if not self._ended.done():
            self._loop.remove_reader(self._lifeline.fileno())
            self._ended.set_result(None)

    async def _stop(self) -> None:
        await asyncio.wait((self._started,))
        self._end()
        await self._loop.run_in_executor(None, self._kill)
        self._lifeline.close()
        self._theirs.close()

    def _kill(self) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


class CpuProcesses:
    """Runs CPU handlers, each in a process of its own, and keeps processes for the next one."""

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._idle: dict[CpuProcess, asyncio.TimerHandle] = {}
        self._all: set[CpuProcess] = set()
        self._discards: set[asyncio.Task[None]] = set()

    async def run(self, handler: Handler[Any], payload: bytes, limit: float | None) -> Outcome:
        """Run a handler for at most ``limit`` seconds, the start of a process not counted.

        Raises ``TimeoutError`` after that. Then, and if canceled, the process has exited on return.
        """
        process = self._take()
        try:
            await process.start()
            async with asyncio.timeout(limit):
                outcome = await process.run(handler, payload)
        except RuntimeError as error:
            logger.error("no process for CPU work could be started: %s", error)
            outcome = process_died()
            await self._discard(process)
        except BaseException:
            await self._discard(process)
            raise
        else:
            if process.alive:
                self._keep(process)
            else:
                await self._discard(process)
        return outcome

    async def close(self) -> None:
        """Stop all processes, also those that run something, and wait until they have exited."""
        for process in list(self._all):
            self._start_discard(process)
        if self._discards:
            await asyncio.wait(self._discards)

    def _take(self) -> CpuProcess:
        # The one used last, so that those which are not needed stay idle and are discarded.
        while self._idle:
            process, timer = self._idle.popitem()
            timer.cancel()
            if process.alive:
                return process
            self._start_discard(process)
        process = CpuProcess()
        self._all.add(process)
        return process

    def _keep(self, process: CpuProcess) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._idle_seconds, self._start_discard, process)
        self._idle[process] = timer

    async def _discard(self, process: CpuProcess) -> None:
        await asyncio.shield(self._start_discard(process))

    def _start_discard(self, process: CpuProcess) -> asyncio.Task[None]:
        timer = self._idle.pop(process, None)
        if timer is not None:
            timer.cancel()
        task = asyncio.create_task(self._stop(process))
        self._discards.add(task)
        task.add_done_callback(self._discards.discard)
        return task

    async def _stop(self, process: CpuProcess) -> None:
        try:
            await process.stop()
        except RuntimeError:
            logger.exception("a process for CPU work could not be stopped")
        self._all.discard(process)


def _retrieve(answer: asyncio.Future[Any]) -> None:
    """Retrieve the error of an answer that nobody waits for any more, so that it is not logged."""
    if not answer.cancelled():
        answer.exception()
