"""Steps over jobs, queue and results at once: all of them are in one Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.domain.errors import TaskQueueError
from common.domain.job import MAX_BATCH_BYTES, MICROSECONDS, Execution, Job, JobState, Outcome
from common.ports import Exchanged, Submission, Transition
from common.stores.redis.connection import Connection
from common.stores.redis.jobs import REMEMBERED_FOR, TABLE, RedisJobs, columns
from common.stores.redis.queue import RedisQueue, assignment
from common.stores.redis.results import kept


class RedisShared:
    """The ``SharedState`` port: each step is one script."""

    def __init__(
        self, connection: Connection, jobs: RedisJobs, queue: RedisQueue, retention: float
    ) -> None:
        self._connection = connection
        self._jobs = jobs
        self._queue = queue
        self._retention = int(retention * MICROSECONDS)
        self._kept = kept(retention)

    async def accept(self, submissions: Sequence[Submission]) -> list[Job | TaskQueueError]:
        """Create records and enqueue them, of each both or neither."""
        now = self._jobs.clock.now()
        arguments: list[Any] = []
        minted = [self._jobs.mint(each.job, now) for each in submissions]
        for each, job in zip(submissions, minted, strict=True):
            spec = each.spec
            timeout = "" if spec.execution_timeout is None else spec.execution_timeout
            arguments += columns(each.job, job)
            arguments += (spec.payload, timeout, each.correlation_id)
        limits = self._queue.limits
        answers = await self._run("accept", now, REMEMBERED_FOR, *limits, *arguments)
        return [
            self._queue.refusal(answer) or self._jobs.created(each.job, job, answer)
            for each, job, answer in zip(submissions, minted, answers, strict=True)
        ]

    async def exchange(
        self,
        worker: str,
        reports: Sequence[tuple[Execution, Outcome]],
        max_jobs: int,
        remove: Sequence[str] = (),
    ) -> Exchanged:
        """Store outputs, end jobs, remove entries; then lease entries and start their jobs."""
        now = self._jobs.clock.now()
        arguments: list[Any] = [TABLE, self._kept, self._queue.lease, max_jobs, MAX_BATCH_BYTES]
        arguments += (worker, len(remove), len(reports), *remove)
        for execution, outcome in reports:
            failure = outcome.failure
            arguments += (*execution, int(outcome.state))
            arguments += (1, failure.reason, failure.message) if failure else (0, "", "")
            arguments.append(outcome.output)
        ends, taken, starts, next_end, redelivered = await self._run("exchange", now, *arguments)
        self._queue.observe(redelivered)
        self._queue.lease_ends(next_end)
        leased = [assignment(each) for each in taken]
        steps = [Transition(each.execution, JobState.RUNNING, worker) for each in leased]
        return Exchanged(
            [
                self._jobs.taken(Transition(each, outcome.state, "", outcome.failure), end, now)
                for (each, outcome), end in zip(reports, ends, strict=True)
            ],
            leased,
            [self._jobs.taken(step, start, now) for step, start in zip(steps, starts, strict=True)],
        )

    async def _run(self, script: str, now: int, *arguments: Any) -> Any:
        return await self._connection.run(script, now, self._retention, *arguments)
