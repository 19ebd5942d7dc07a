"""The coordinator: what workers talk to, and the watch over those that fall silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from common import context
from common.domain.errors import TaskQueueError
from common.domain.job import Assignment, Execution, Job, JobState, Outcome
from common.flows.background import Background
from common.flows.dispatch import Dispatcher
from common.flows.ended import has_ended
from common.ports import (
    HeartbeatReply,
    Jobs,
    Liveness,
    Queue,
    ReportReply,
    Results,
    SharedState,
    Transition,
)

logger = logging.getLogger(__name__)

TAKE_SECONDS = 1.0
"""How long the answer to a report, once there are verdicts, waits for the next work."""


class WorkCoordinator:
    """Implements the ``Coordinator`` port over the owners. ``lease`` is in seconds.

    Where those share their state, ``shared`` takes a report and brings the next jobs in one step.
    """

    def __init__(
        self,
        liveness: Liveness,
        jobs: Jobs,
        queue: Queue,
        results: Results,
        lease: float,
        background: Background,
        shared: SharedState | None = None,
    ) -> None:
        self._shared = shared
        self._liveness = liveness
        self._jobs = jobs
        self._queue = queue
        self._results = results
        self._lease = lease
        self._background = background
        self._dispatcher = Dispatcher(liveness, jobs, queue, background)

    async def heartbeat(self, worker: str, slots: int, held: Sequence[Execution]) -> HeartbeatReply:
        """Note that the worker lives; return what it has to stop and what is no longer its own."""
        self._liveness.seen(worker, slots)
        self._dispatcher.flush()
        missing = self._liveness.reconcile(worker, held)
        if missing:
            logger.warning("%s never received %d executions", worker, len(missing))
            self._background.start(
                self._dispatcher.give_back(missing), "give back what was not held"
            )
        records = await self._jobs.get([execution.job_id for execution in held]) if held else []
        reply = HeartbeatReply([], [])
        ended: list[Execution] = []
        for execution, record in zip(held, records, strict=True):
            if not isinstance(record, Job) or record.attempt != execution.attempt:
                reply.drop.append(execution)
            elif record.state.terminal:
                # It ended its job itself: the answer to its report is on the way.
                ended.append(execution)
            elif record.cancel_requested:
                reply.cancel.append(execution)
        self._liveness.settle(worker, reply.drop)
        self._liveness.settle(worker, ended)
        return reply

    async def fetch(
        self, worker: str, slots: int, max_jobs: int, max_wait: float
    ) -> list[Assignment]:
        """Hand out up to ``max_jobs`` jobs, waiting up to ``max_wait`` seconds for the first."""
        return await self._dispatcher.take(worker, slots, max_jobs, max_wait)

    def stop_waiting(self) -> None:
        """Answer every waiting fetch with nothing, because the process stops."""
        self._dispatcher.stop_waiting()

    async def report(
        self,
        worker: str,
        reports: Sequence[tuple[Execution, Outcome]],
        returned: Sequence[Execution] = (),
        slots: int = 0,
        max_jobs: int = 0,
    ) -> ReportReply:
        """Take outcomes and unfinished executions; a verdict for each outcome.

        Up to ``max_jobs`` jobs that are there already come with the answer. They are started while
        the reports are taken.
        """
        if self._shared is not None and not returned:
            exchange = self._exchange(self._shared, worker, reports, slots, max_jobs)
            return await self._background.finish(exchange)
        taking: asyncio.Task[list[Assignment]] | None = None
        if max_jobs and not self._dispatcher.waits:
            taking = asyncio.create_task(self._dispatcher.take_now(worker, slots, max_jobs))
        try:
            verdicts = await self._complete(reports)
            if returned:
                await self._dispatcher.give_back(returned)
            self._liveness.settle(worker, (execution for execution, _ in reports))
            self._liveness.settle(worker, returned)
            if taking is not None:
                await asyncio.wait((taking,), timeout=TAKE_SECONDS)
        except BaseException:
            self._let_go(worker, taking)
            raise
        if taking is None or not taking.done():
            self._let_go(worker, taking)
            return ReportReply(verdicts, [])
        return ReportReply(verdicts, await _taken(taking))

    async def _exchange(
        self,
        shared: SharedState,
        worker: str,
        reports: Sequence[tuple[Execution, Outcome]],
        slots: int,
        max_jobs: int,
    ) -> ReportReply:
        """Take outcomes and bring the next jobs; what an answer does not bring, heartbeats miss.

        Also while a dequeue is under way: to look for jobs makes this step no dearer, and one that
        brings none leaves its slots to dequeues, which take two steps for what this takes in one.
        """
        dispatcher = self._dispatcher
        ended = dispatcher.ended()
        try:
            exchanged = await shared.exchange(
                worker, reports, 0 if dispatcher.stopping else max_jobs, ended
            )
        except BaseException:
            dispatcher.acknowledge(ended)
            raise
        verdicts = await self._judge(reports, exchanged.ends, acknowledged=True)
        self._liveness.settle(worker, (execution for execution, _ in reports))
        started = dispatcher.started(worker, slots, exchanged.leased, exchanged.starts)
        return ReportReply(verdicts, started)

    def _let_go(self, worker: str, taking: asyncio.Task[list[Assignment]] | None) -> None:
        """Have what is taken beside a report given back, because no answer will bring it."""
        if taking is not None:
            self._background.start(self._return(worker, taking), "give back what was taken")

    async def _return(self, worker: str, taking: asyncio.Task[list[Assignment]]) -> None:
        executions = [each.execution for each in await _taken(taking)]
        if executions:
            self._liveness.settle(worker, executions)
            await self._dispatcher.give_back(executions)

    async def _complete(
        self, reports: Sequence[tuple[Execution, Outcome]]
    ) -> list[TaskQueueError | None]:
        """Store the outputs, then end the jobs; their queue entries are acknowledged after that.

        Each of the three steps may be repeated without harm, so a caller that was not answered
        reports again. An entry stays in the queue only if a later attempt still needs it.
        """
        outputs = [
            (execution, outcome.output)
            for execution, outcome in reports
            if outcome.state is JobState.DONE
        ]
        if outputs:
            await self._results.store(outputs)
        steps = [
            Transition(execution, outcome.state, failure=outcome.failure)
            for execution, outcome in reports
        ]
        return await self._judge(reports, await self._jobs.transition(steps))

    async def _judge(
        self,
        reports: Sequence[tuple[Execution, Outcome]],
        answers: Sequence[Job | TaskQueueError],
        acknowledged: bool = False,
    ) -> list[TaskQueueError | None]:
        """Return a verdict for each outcome from what came of its step.

        Entries of ended jobs are ``acknowledged`` already where the step itself removed them.
        """
        judged = [
            (execution, _verdict(execution, answer))
            for (execution, _), answer in zip(reports, answers, strict=True)
        ]
        ended = [
            each.job_id
            for each, verdict in judged
            if has_ended(verdict) and not (acknowledged and verdict is None)
        ]
        unfinished = [each for each, verdict in judged if not has_ended(verdict)]
        if ended:
            self._dispatcher.acknowledge(ended)
        if unfinished:
            await self._dispatcher.give_back(unfinished)
        return [verdict for _, verdict in judged]

    async def watch(self) -> None:
        """Until canceled: renew the leases of living workers, give back those of dead ones."""
        while True:
            expiry = self._liveness.until_next_expiry()
            third = self._lease / 3
            await asyncio.sleep(third if expiry is None else min(third, expiry + 0.01))
            with context.call(timeout=third):
                await self.inspect()

    async def inspect(self) -> None:
        """Do one round of the watch; a queue out of reach is logged and met again next round."""
        self._dispatcher.flush()
        dead = self._liveness.expire()
        for worker, held in dead.items():
            logger.warning("worker %s is lost with %d executions", worker, len(held))
        lost = [execution for held in dead.values() for execution in held]
        held = self._liveness.held()
        if not lost and not held:
            return
        try:
            ended = (await self._queue.dequeue(0, renew=held, release=lost)).lost
            if ended:
                logger.warning("%d executions go on without a lease: %s", len(ended), ended[:5])
        except TaskQueueError as error:
            logger.warning("leases not renewed: %s", error)


async def _taken(taking: asyncio.Task[list[Assignment]]) -> list[Assignment]:
    """Return what was taken beside a report; nothing if that failed, for a fetch will say."""
    try:
        return await taking
    except TaskQueueError as error:
        logger.info("no work with the answer to a report: %s", error)
        return []


def _verdict(execution: Execution, answer: Job | TaskQueueError) -> TaskQueueError | None:
    """Return why an outcome was refused, ``None`` if it was taken."""
    if not isinstance(answer, TaskQueueError):
        return None
    job_id, attempt = execution
    logger.warning("outcome ignored: %s", answer, extra={"job_id": job_id, "attempt": attempt})
    return answer
