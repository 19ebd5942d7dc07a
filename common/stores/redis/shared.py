"""Steps over jobs, queue and results at once: all of them are in one Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.domain.errors import TaskQueueError
from common.domain.job import MAX_BATCH_BYTES, MICROSECONDS, Execution, Job, JobState, Outcome
from common.ports import Exchanged, Submission, Transition
from common.stores.joining import Arguments, Joining
from common.stores.redis.connection import Connection
from common.stores.redis.jobs import REMEMBERED_FOR, TABLE, RedisJobs, columns
from common.stores.redis.queue import RedisQueue, assignment
from common.stores.redis.results import kept

Answer = Sequence[Any]


class RedisShared:
    """The ``SharedState`` port: a step is one script, or both are."""

    def __init__(
        self, connection: Connection, jobs: RedisJobs, queue: RedisQueue, retention: float
    ) -> None:
        self._joining = Joining(_Scripts(connection, retention))
        self._jobs = jobs
        self._queue = queue
        self._kept = kept(retention)

    async def accept(self, submissions: Sequence[Submission]) -> list[Job | TaskQueueError]:
        """Create records and enqueue them, of each both or neither."""
        now = self._jobs.clock.now()
        arguments: list[Any] = [now, REMEMBERED_FOR, *self._queue.limits]
        minted = [self._jobs.mint(each.job, now) for each in submissions]
        for each, job in zip(submissions, minted, strict=True):
            spec = each.spec
            timeout = "" if spec.execution_timeout is None else spec.execution_timeout
            arguments += columns(each.job, job)
            arguments += (spec.payload, timeout, each.correlation_id)
        answers, _ = await self._joining.accept(arguments)
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
        arguments: list[Any] = [now, TABLE, self._kept, self._queue.lease]
        arguments += (max_jobs, MAX_BATCH_BYTES, worker, len(remove), len(reports), *remove)
        for execution, outcome in reports:
            failure = outcome.failure
            arguments += (*execution, int(outcome.state))
            arguments += (1, failure.reason, failure.message) if failure else (0, "", "")
            arguments.append(outcome.output)
        ends, taken, starts, next_end, redelivered = await self._joining.exchange(arguments)
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


class _Scripts:
    """Accepts and exchanges as scripts, one for each or for both; a ``Trips``.

    The first of their arguments is the time; of both it is that of the exchange.
    """

    def __init__(self, connection: Connection, retention: float) -> None:
        self._connection = connection
        self._retention = int(retention * MICROSECONDS)
        self.name = connection.name

    async def accept(self, arguments: Arguments) -> Answer:
        return await self._run("accept", *arguments)

    async def exchange(self, arguments: Arguments) -> Answer:
        return await self._run("exchange", *arguments)

    async def exchange_and_accept(
        self, exchange: Arguments, accept: Arguments
    ) -> tuple[Answer, Answer]:
        exchanged, accepted = await self._run("exchange_and_accept", *exchange, *accept[1:])
        return exchanged, accepted

    def has_brought(self, answer: Answer) -> bool:
        _, taken, *_ = answer
        return bool(taken)

    def nothing_happened(self, error: TaskQueueError) -> bool:
        return error.definite

    def note_unanswered(self) -> None:
        """Do nothing: the server counts by itself."""

    async def _run(self, script: str, now: int, *arguments: Any) -> Answer:
        answer: Answer = await self._connection.run(script, now, self._retention, *arguments)
        return answer
