"""The worker: fetches jobs, has them run, sends heartbeats, reports how they ended."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Coroutine, Sequence
from typing import Any

from common import context
from common.domain.job import Assignment, Execution, Outcome
from common.ports import Coordinator
from common.worker.backoff import Backoff
from common.worker.calls import CALL_TIMEOUT, Calls
from common.worker.demand import Demand
from common.worker.executor import Executor
from common.worker.held import Held, Holdings, Intent, extra

logger = logging.getLogger(__name__)

TURNS = 3
"""Turns of the event loop in which a job that does not wait begins, ends and is noted to have."""


class Worker:
    """Runs up to ``slots`` executions at once for a coordinator. Times are in seconds.

    ``long_poll`` is how long the coordinator may hold a fetch, ``stop_grace`` how long running
    work may go on after :meth:`stop`. ``fetchers`` is how many fetches may be under way at a time,
    each for its share of the slots. A coordinator out of reach is met with retries; anything but
    a ``TaskQueueError`` from it is a defect, which ends the worker and comes out of :meth:`run`.
    """

    def __init__(
        self,
        name: str,
        slots: int,
        coordinator: Coordinator,
        executor: Executor,
        heartbeat_interval: float = 0.5,
        long_poll: float = 2.0,
        stop_grace: float = 5.0,
        fetchers: int = 1,
    ) -> None:
        if slots < 1:
            raise ValueError(f"slots must be at least 1, is {slots}")
        if not 1 <= fetchers <= slots:
            raise ValueError(f"fetchers must be 1 to {slots}, the slots, is {fetchers}")
        self._calls = Calls(coordinator, name, slots, heartbeat_interval, long_poll)
        self._executor = executor
        self._heartbeat_interval = heartbeat_interval
        self._long_poll = long_poll
        self._stop_grace = stop_grace
        self._holdings = Holdings(slots)
        self._demand = Demand(self._holdings)
        self._fetchers = fetchers
        self._share = math.ceil(slots / fetchers)
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._stopping: asyncio.Task[None] | None = None

    @property
    def slots(self) -> int:
        """Execution slots."""
        return self._holdings.slots

    @property
    def busy(self) -> int:
        """Execution slots in use."""
        return self._holdings.busy

    def start(self) -> None:
        """Begin; does nothing if begun."""
        if self._loops or self._stopping is not None:
            return
        for what, loop in (
            ("heartbeat", self._beat()),
            ("report", self._report()),
            *((f"fetch-{number}", self._fetch()) for number in range(self._fetchers)),
        ):
            task = asyncio.create_task(self._go_on(what, loop), name=f"worker-{what}")
            task.add_done_callback(_log_defect)
            self._loops[what] = task

    async def run(self) -> None:
        """Start, and return once stopped. Canceled, it stops; a defect is raised after a stop."""
        self.start()
        loops = set(self._loops.values())
        try:
            if loops:
                await asyncio.wait(loops, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await self.stop()
        for task in loops:
            if not task.cancelled():
                task.result()

    async def stop(self) -> None:
        """Fetch no more, finish or give back what runs, report. May be called again, also at once.

        Heartbeats go on until the end, so that what still runs stays this worker's.
        """
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="worker-stop")
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        for number in range(self._fetchers):
            await self._end_loop(f"fetch-{number}")
        running = [held.task for held in self._holdings.running() if held.task is not None]
        if running:
            await asyncio.wait(running, timeout=self._stop_grace)
        for held in self._holdings.running():
            held.stop(Intent.RETURN)
        left = [task for task in running if not task.done()]
        if left:
            await asyncio.wait(left, timeout=CALL_TIMEOUT)
        # The callbacks of tasks that ended just now are still to come.
        await asyncio.sleep(0)
        self._demand.update()
        await self._flush()
        await self._end_loop("report")
        await self._end_loop("heartbeat")
        for job_id, attempt in self._holdings.executions():
            logger.error("stopped without a report", extra={"job_id": job_id, "attempt": attempt})

    async def _flush(self) -> None:
        report = self._loops.get("report")
        if report is None or report.done():
            return
        flushed = asyncio.create_task(self._demand.all_reported.wait())
        await asyncio.wait(
            (flushed, report), timeout=CALL_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        flushed.cancel()

    async def _end_loop(self, what: str) -> None:
        task = self._loops.get(what)
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    async def _go_on(self, what: str, loop: Coroutine[Any, Any, None]) -> None:
        """Run a loop; that it is canceled is a defect, unless the worker stops."""
        try:
            await loop
        except asyncio.CancelledError as error:
            if self._stopping is None:
                raise RuntimeError(f"the worker's {what} loop was canceled") from error
            raise

    async def _fetch(self) -> None:
        backoff = Backoff()
        clock = asyncio.get_running_loop().time
        while True:
            await self._demand.to_fetch.wait()
            if not self._demand.to_fetch.is_set():  # gone between the wake-up and now
                continue
            begun = clock()
            answer = await self._fetch_into(min(self._share, self._demand.free))
            # No answer, or an empty one long before its time: either would make this loop spin.
            if answer or (answer is not None and clock() - begun >= self._long_poll / 2):
                backoff.reset()
            else:
                await backoff.pause()

    async def _fetch_into(self, free: int) -> list[Assignment] | None:
        """Fetch up to ``free`` jobs."""
        with self._demand.asking(free):
            answer = await self._calls.fetch(free)
            for assignment in answer or ():
                self._accept(assignment)
            return answer

    async def _beat(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            reply = await self._calls.heartbeat(self._holdings.executions())
            if reply is not None:
                self._obey(reply.cancel, Intent.CANCEL)
                self._obey(reply.drop, Intent.DROP)
            await asyncio.sleep(max(0.0, begun + self._heartbeat_interval - clock()))

    async def _report(self) -> None:
        backoff = Backoff()
        while True:
            await self._demand.to_report.wait()
            for _ in range(TURNS):
                await asyncio.sleep(0)
            answered = await self._report_once()
            self._demand.reported(answered)
            if answered:
                backoff.reset()
            else:
                await backoff.pause()

    async def _report_once(self) -> bool:
        """Report what has ended and take the next jobs; returns whether that was answered."""
        batch, returned = self._holdings.batch()
        # What a report that fails has taken is given back: one that may fail again takes nothing.
        takes = self._stopping is None and not self._demand.reports_fail
        free = self._demand.free if takes else 0
        reports = [(held.execution, outcome) for held, outcome in batch]
        with self._demand.asking(free):
            reply = await self._calls.report(reports, [each.execution for each in returned], free)
            if reply is None:
                return False
            for (held, _), verdict in zip(batch, reply.verdicts, strict=True):
                if verdict is not None:
                    logger.warning("outcome refused: %s", verdict, extra=extra(held.assignment))
                self._holdings.forget(held)
            for held in returned:
                self._holdings.forget(held)
            for assignment in reply.assignments:
                if self._stopping is None:
                    self._accept(assignment)
                else:
                    self._holdings.refuse(Held(assignment))
        return True

    def _accept(self, assignment: Assignment) -> None:
        job_id, attempt = assignment.execution
        earlier = self._holdings.of_job(job_id)
        if earlier is not None:
            if earlier.execution.attempt >= attempt:
                logger.info("ignored: held already", extra=extra(assignment))
                return
            self._drop(earlier)
        held = Held(assignment)
        with context.call(assignment.correlation_id or None):
            held.task = asyncio.create_task(_execute(self._executor, assignment))
        self._holdings.add(held)
        held.task.add_done_callback(lambda task: self._settle(held, task))
        self._demand.update()

    def _settle(self, held: Held, task: asyncio.Task[Outcome]) -> None:
        """Note the end of an execution, whichever way it came."""
        held.settle(task)
        self._holdings.end(held)
        self._demand.update()

    def _obey(self, executions: Sequence[Execution], intent: Intent) -> None:
        for execution in executions:
            held = self._holdings.find(execution)
            if held is None:
                continue
            logger.info("asked to %s", intent.value, extra=extra(held.assignment))
            if intent is Intent.DROP:
                self._drop(held)
            else:
                held.stop(intent)

    def _drop(self, held: Held) -> None:
        held.stop(Intent.DROP)
        self._holdings.forget(held)
        self._demand.update()


async def _execute(executor: Executor, assignment: Assignment) -> Outcome:
    logger.debug("started", extra=extra(assignment))
    outcome = await executor.run(assignment)
    logger.debug("ended %s", outcome.state.name, extra=extra(assignment))
    return outcome


def _log_defect(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.critical("%s failed", task.get_name(), exc_info=error)
