"""Dispatch: what one dequeue brings is handed to the workers that wait for work.

There is one dequeue at a time, for all who wait. What it leased is started in one round, whichever
workers it goes to, while the next dequeue is under way already.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common import context
from common.domain.errors import InternalError, TaskQueueError, copy_of
from common.domain.job import Assignment, Execution, Job, JobState
from common.flows.background import Background
from common.flows.ended import has_ended
from common.ports import Jobs, Liveness, Queue, Transition

logger = logging.getLogger(__name__)

CALL_SECONDS = 5.0
"""How long an owner may take for its answer, beside what it was asked to wait."""
LINGER_SECONDS = 0.1
"""How long a dequeue goes on for nobody: its answer may be on the way, with leases."""


class Dispatcher:
    """Leases entries and starts their jobs for the workers that ask, the first who asked first.

    An entry whose job may not start, because it was canceled or is finished, is removed; one whose
    job runs under a later attempt stays, for that attempt. If starts cannot be recorded, or nobody
    waits for them any more, the leases are given back, so that nothing waits for them to run out.
    """

    def __init__(
        self, liveness: Liveness, jobs: Jobs, queue: Queue, background: Background
    ) -> None:
        self._liveness = liveness
        self._jobs = jobs
        self._queue = queue
        self._background = background
        self._asking: dict[_Ask, None] = {}
        self._dequeuing: asyncio.Task[None] | None = None
        self._ended: dict[str, None] = {}
        self._stopping = False
        # A dequeue is for all who ask: it is made in the process's context, and in none of theirs.
        self._context = contextvars.copy_context()

    @property
    def stopping(self) -> bool:
        """Whether the process stops, and takes no more jobs."""
        return self._stopping

    @property
    def waits(self) -> bool:
        """Whether there is nothing to be taken at once: a dequeue waits, or the process stops."""
        return self._dequeuing is not None or self._stopping

    async def take(
        self, worker: str, slots: int, max_jobs: int, max_wait: float = 0.0
    ) -> list[Assignment]:
        """Take up to ``max_jobs`` jobs, waiting up to ``max_wait`` seconds for the first.

        The worker is noted as one that lives, and the jobs as its own. Raises ``TaskQueueError``.
        """
        self._liveness.seen(worker, slots)
        if self._stopping or not max_jobs:
            return []
        loop = asyncio.get_running_loop()
        ask = _Ask(worker, slots, max_jobs, loop.time() + max_wait, loop.create_future())
        self._asking[ask] = None
        self._dequeue_soon()
        timer = loop.call_later(max_wait, self._give_up, ask) if max_wait else None
        handling = context.handling()
        if handling is not None:
            handling.wait_begins(time.perf_counter())
        try:
            return await ask.answer
        except asyncio.CancelledError:
            loop.call_later(LINGER_SECONDS, self._end_for_nobody, context=self._context)
            raise
        finally:
            if handling is not None:
                handling.wait_ends(time.perf_counter())
            self._asking.pop(ask, None)
            if timer is not None:
                timer.cancel()

    async def take_now(self, worker: str, slots: int, max_jobs: int) -> list[Assignment]:
        """Take up to ``max_jobs`` jobs that are there already, for nobody else; see :meth:`take`.

        There are none while a dequeue waits.
        """
        if self.waits:
            return []
        leased = await self._lease(max_jobs)
        if not leased:
            return []
        (started,) = await self._start([(worker, leased)])
        self._note(worker, slots, started)
        return started

    def stop_waiting(self) -> None:
        """Answer everyone who waits with nothing, now and from now on: the process stops."""
        self._stopping = True
        if self._dequeuing is not None:
            self._dequeuing.cancel()
        for ask in list(self._asking):
            self._give_up(ask)
        self.flush()

    async def give_back(self, executions: Sequence[Execution]) -> None:
        """Return leases, so that the jobs are visible again at once."""
        await self._queue.dequeue(0, release=executions)

    def acknowledge(self, job_ids: Iterable[str]) -> None:
        """Have the entries of jobs that have ended removed: with the next dequeue, or a flush.

        One whose removal is lost is leased again once its lease has run out, and removed then.
        """
        self._ended.update(dict.fromkeys(job_ids))

    def flush(self) -> None:
        """Remove now what waits for the next dequeue, which may be long in coming."""
        if ended := self.ended():
            removal = self._remove(ended)
            self._background.start(removal, f"remove {len(ended)} entries of ended jobs")

    def ended(self) -> list[str]:
        """Take over what waits to be removed."""
        ended = list(self._ended)
        self._ended.clear()
        return ended

    def started(
        self,
        worker: str,
        slots: int,
        leased: Sequence[Assignment],
        starts: Sequence[Job | TaskQueueError],
    ) -> list[Assignment]:
        """Note what was leased and started for a worker; returns what of it may run."""
        answers = zip(leased, starts, strict=True)
        running = [each for each, answer in answers if self._may_run(worker, each, answer)]
        self._note(worker, slots, running)
        return running

    async def _remove(self, job_ids: Sequence[str]) -> None:
        await self._queue.remove(job_ids)

    def _give_up(self, ask: _Ask) -> None:
        """Answer with nothing, unless jobs are being started for the one who asked."""
        if ask in self._asking:
            del self._asking[ask]
            if not ask.answer.done():
                ask.answer.set_result([])

    def _end_for_nobody(self) -> None:
        """End a dequeue that nobody waits for: what it leased would only be given back."""
        if self._dequeuing is not None and not self._asking:
            self._dequeuing.cancel()

    def _dequeue_soon(self) -> None:
        if self._dequeuing is None and self._asking and not self._stopping:
            own = self._context.copy()
            self._dequeuing = asyncio.create_task(self._dequeue(), context=own)
            self._dequeuing.add_done_callback(self._dequeued, context=own)

    def _dequeued(self, task: asyncio.Task[None]) -> None:
        self._dequeuing = None
        if not task.cancelled() and (defect := task.exception()) is not None:
            logger.error("a dispatch met a defect", exc_info=defect)
            self._fail(list(self._asking), _internal(defect))
        if self._stopping:
            self.flush()  # what was to ride along with a dequeue that was cut short
        self._dequeue_soon()

    async def _dequeue(self) -> None:
        """Lease for everyone who asks now, and have what came started."""
        await asyncio.sleep(0)  # those that were woken together with the first ask too
        asking = list(self._asking)
        if not asking:
            return
        now = asyncio.get_running_loop().time()
        # One that does not wait is not made to by those that do; they are asked for once more.
        waits = all(ask.until > now for ask in asking)
        wait = max(ask.until for ask in asking) - now if waits else 0.0
        try:
            leased = await self._lease(sum(ask.max_jobs for ask in asking), wait)
        except TaskQueueError as error:
            logger.warning("no work to be had from the queue: %s", error)
            self._fail(asking, error)
            return
        if leased:
            self._share_out(leased)
        else:
            for ask in asking:
                if waits or ask.until <= now:
                    self._give_up(ask)

    async def _lease(self, most: int, wait: float = 0.0) -> list[Assignment]:
        """Lease up to so many entries, with the acknowledgements that wait for it."""
        ended = self.ended()
        try:
            with context.call(timeout=wait + CALL_SECONDS):
                return (await self._queue.dequeue(most, wait, remove=ended)).assignments
        except BaseException:
            self.acknowledge(ended)
            raise

    def _share_out(self, leased: list[Assignment]) -> None:
        """Share out what was leased; what nobody waits for any more is given back."""
        shares: list[tuple[_Ask, list[Assignment]]] = []
        while leased and self._asking:
            ask = next(iter(self._asking))
            del self._asking[ask]
            shares.append((ask, leased[: ask.max_jobs]))
            leased = leased[ask.max_jobs :]
        if shares:
            self._background.start(self._serve(shares), "start leased jobs")
        self._return(leased)

    async def _serve(self, shares: Sequence[tuple[_Ask, list[Assignment]]]) -> None:
        """Start leased jobs and answer those they are for; one that got none asks on."""
        try:
            started = await self._start([(ask.worker, leased) for ask, leased in shares])
        except TaskQueueError as error:
            self._fail([ask for ask, _ in shares], error)
            return
        except Exception as defect:
            self._fail([ask for ask, _ in shares], _internal(defect))
            raise
        now = asyncio.get_running_loop().time()
        again: list[_Ask] = []
        for (ask, _), mine in zip(shares, started, strict=True):
            if ask.answer.done():
                self._return(mine)
            elif mine or self._stopping or now >= ask.until:
                self._note(ask.worker, ask.slots, mine)
                ask.answer.set_result(mine)
            else:
                again.append(ask)
        self._asking = {**dict.fromkeys(again), **self._asking}
        self._dequeue_soon()

    async def _start(
        self, shares: Sequence[tuple[str, list[Assignment]]]
    ) -> list[list[Assignment]]:
        """Start jobs for workers, by name; returns those that may run, for each share."""
        steps = [
            Transition(each.execution, JobState.RUNNING, worker)
            for worker, leased in shares
            for each in leased
        ]
        try:
            answers = iter(await self._jobs.transition(steps))
        except BaseException:
            for _, leased in shares:
                self._return(leased)
            raise
        return [
            [each for each in leased if self._may_run(worker, each, next(answers))]
            for worker, leased in shares
        ]

    def _may_run(self, worker: str, assignment: Assignment, answer: Job | TaskQueueError) -> bool:
        """Whether a job was started; the entry of one that ended before is removed."""
        job_id, attempt = assignment.execution
        if isinstance(answer, TaskQueueError):
            logger.info("not started: %s", answer, extra={"job_id": job_id, "attempt": attempt})
            if has_ended(answer):
                self.acknowledge([job_id])
            return False
        if logger.isEnabledFor(logging.DEBUG):
            correlation = {"correlation_id": assignment.correlation_id}
            extra = {"job_id": job_id, "attempt": attempt, **correlation}
            logger.debug("handed to %s", worker, extra=extra)
        return True

    def _note(self, worker: str, slots: int, started: Sequence[Assignment]) -> None:
        """Note that a worker lives and what is its own now."""
        self._liveness.seen(worker, slots)
        self._liveness.assign(worker, [each.execution for each in started])

    def _return(self, assignments: Sequence[Assignment]) -> None:
        if assignments:
            returning = self.give_back([each.execution for each in assignments])
            self._background.start(returning, f"give back {len(assignments)} leases")

    def _fail(self, asking: Iterable[_Ask], error: TaskQueueError) -> None:
        for ask in asking:
            self._asking.pop(ask, None)
            if not ask.answer.done():
                ask.answer.set_exception(copy_of(error))


@dataclass(eq=False, slots=True)
class _Ask:
    """A worker that waits for up to ``max_jobs`` jobs. ``until`` is on the loop's clock."""

    worker: str
    slots: int
    max_jobs: int
    until: float
    answer: asyncio.Future[list[Assignment]]


def _internal(defect: BaseException) -> InternalError:
    return InternalError(f"{type(defect).__name__} in a dispatch")
