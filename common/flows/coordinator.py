"""The coordinator: what workers talk to, and the watch over those that fall silent."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from common import context
from common.domain.errors import TaskQueueError
from common.domain.job import Assignment, Execution, Job, JobState, Outcome
from common.flows.background import Background
from common.flows.ended import has_ended
from common.ports import HeartbeatReply, Jobs, Liveness, Queue, Results, Transition

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
        """Note that the worker lives; return what it has to stop and what is no longer its own."""
        self._liveness.seen(worker, slots)
        missing = self._liveness.reconcile(worker, held)
        if missing:
            logger.warning("%s never received %d executions", worker, len(missing))
            self._background.start(self._give_back(missing), "give back what was not held")
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
        dispatching = asyncio.create_task(self._dispatch(worker, max_jobs, max_wait))
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

    async def _dispatch(self, worker: str, max_jobs: int, max_wait: float) -> list[Assignment]:
        """Lease entries and start their jobs, waiting up to ``max_wait`` seconds for the first.

        An entry whose job may not start, because it was canceled or is finished, is removed; one
        whose job runs under a later attempt stays, for that attempt. If the starts cannot be
        recorded the leases are given back, so that nothing waits for them to run out.
        """
        end = time.monotonic() + max_wait
        while True:
            left = max(0.0, end - time.monotonic())
            leased = (await self._queue.dequeue(max_jobs, left)).assignments
            if not leased:
                return []
            try:
                started = await self._start(worker, leased)
            except BaseException:
                returning = self._give_back([each.execution for each in leased])
                self._background.start(returning, f"give back {len(leased)} leases")
                raise
            if started:
                return started

    async def _start(self, worker: str, leased: Sequence[Assignment]) -> list[Assignment]:
        """Start the leased jobs; returns those that may run."""
        steps = [Transition(each.execution, JobState.RUNNING, worker) for each in leased]
        answers = await self._jobs.transition(steps)
        started: list[Assignment] = []
        refused: list[str] = []
        for assignment, answer in zip(leased, answers, strict=True):
            if not isinstance(answer, TaskQueueError):
                started.append(assignment)
                _log_handed_out(worker, assignment)
                continue
            job_id, attempt = assignment.execution
            logger.info("not started: %s", answer, extra={"job_id": job_id, "attempt": attempt})
            if has_ended(answer):
                refused.append(job_id)
        if refused:
            what = f"remove {len(refused)} entries of ended jobs"
            self._background.start(self._remove(refused), what)
        return started

    async def _give_back(self, executions: Sequence[Execution]) -> None:
        """Return leases, so that the jobs are visible again at once."""
        await self._queue.dequeue(0, release=executions)

    async def _remove(self, job_ids: Sequence[str]) -> None:
        await self._queue.remove(job_ids)

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
        verdicts = await self._complete(reports)
        if returned:
            await self._give_back(returned)
        self._liveness.settle(worker, (execution for execution, _ in reports))
        self._liveness.settle(worker, returned)
        return verdicts

    async def _complete(
        self, reports: Sequence[tuple[Execution, Outcome]]
    ) -> list[TaskQueueError | None]:
        """Store the outputs, then end the jobs, then acknowledge their queue entries.

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
        answers = await self._jobs.transition(steps)
        judged = [
            (execution, _verdict(execution, answer))
            for (execution, _), answer in zip(reports, answers, strict=True)
        ]
        ended = [each.job_id for each, verdict in judged if has_ended(verdict)]
        unfinished = [each for each, verdict in judged if not has_ended(verdict)]
        if ended:
            await self._remove(ended)
        if unfinished:
            await self._give_back(unfinished)
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


def _verdict(execution: Execution, answer: Job | TaskQueueError) -> TaskQueueError | None:
    """Return why an outcome was refused, ``None`` if it was taken."""
    if not isinstance(answer, TaskQueueError):
        return None
    job_id, attempt = execution
    logger.warning("outcome ignored: %s", answer, extra={"job_id": job_id, "attempt": attempt})
    return answer


def _log_handed_out(worker: str, assignment: Assignment) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        job_id, attempt = assignment.execution
        logger.debug(
            "handed to %s",
            worker,
            extra={
                "job_id": job_id,
                "attempt": attempt,
                "correlation_id": assignment.correlation_id,
            },
        )
