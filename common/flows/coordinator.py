"""The coordinator: what workers talk to, and the watch over those that fall silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from common import context
from common.domain.errors import TaskQueueError
from common.domain.job import Assignment, Execution, Job, Outcome
from common.flows.background import Background
from common.flows.complete import complete
from common.flows.dispatch import dispatch, give_back
from common.ports import HeartbeatReply, Jobs, Liveness, Queue, Results

logger = logging.getLogger(__name__)


class WorkCoordinator:
    """Implements the ``Coordinator`` port over the owners. ``lease`` is in seconds."""

    def __init__(
        self,
        liveness: Liveness,
        jobs: Jobs,
        queue: Queue,
        results: Results,
        lease: float,
        background: Background,
    ) -> None:
        self._liveness = liveness
        self._jobs = jobs
        self._queue = queue
        self._results = results
        self._lease = lease
        self._background = background
        self._dispatches: set[asyncio.Task[list[Assignment]]] = set()
        self._stopping = False

    async def heartbeat(self, worker: str, slots: int, held: Sequence[Execution]) -> HeartbeatReply:
        """Note that the worker lives; tell it what to stop and what is no longer its own."""
        self._liveness.seen(worker, slots)
        missing = self._liveness.reconcile(worker, held)
        if missing:
            logger.warning("%s never received %d executions", worker, len(missing))
            self._background.start(give_back(missing, self._queue), "give back what was not held")
        records = await self._jobs.get([execution.job_id for execution in held]) if held else []
        reply = HeartbeatReply([], [])
        for execution, record in zip(held, records, strict=True):
            if _lapsed(execution, record):
                reply.drop.append(execution)
            elif isinstance(record, Job) and record.cancel_requested and not record.state.terminal:
                reply.cancel.append(execution)
        self._liveness.settle(worker, reply.drop)
        return reply

    async def fetch(
        self, worker: str, slots: int, max_jobs: int, max_wait: float
    ) -> list[Assignment]:
        """Hand out up to ``max_jobs`` jobs, waiting up to ``max_wait`` seconds for the first."""
        self._liveness.seen(worker, slots)
        dispatching = asyncio.create_task(
            dispatch(worker, max_jobs, max_wait, self._jobs, self._queue, self._background)
        )
        self._dispatches.add(dispatching)
        try:
            assignments = await dispatching
        except asyncio.CancelledError:
            if self._stopping and dispatching.cancelled():
                return []
            raise
        finally:
            self._dispatches.discard(dispatching)
        self._liveness.seen(worker, slots)
        self._liveness.assign(worker, (each.execution for each in assignments))
        return assignments

    def stop_waiting(self) -> None:
        """Answer every waiting fetch with nothing, because the process stops."""
        self._stopping = True
        for dispatching in self._dispatches:
            dispatching.cancel()

    async def report(
        self,
        worker: str,
        reports: Sequence[tuple[Execution, Outcome]],
        returned: Sequence[Execution] = (),
    ) -> list[TaskQueueError | None]:
        """Take outcomes and unfinished executions; a verdict for each outcome."""
        verdicts = await complete(reports, self._jobs, self._queue, self._results)
        if returned:
            await give_back(returned, self._queue)
        self._liveness.settle(worker, (execution for execution, _ in reports))
        self._liveness.settle(worker, returned)
        return verdicts

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


def _lapsed(execution: Execution, record: Job | TaskQueueError) -> bool:
    """Whether the job went on without this execution.

    One that ended its job itself has not lapsed: the answer to its report is on the way.
    """
    return not isinstance(record, Job) or record.attempt != execution.attempt
