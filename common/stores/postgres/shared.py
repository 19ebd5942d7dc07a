"""Steps over jobs, queue and results at once: all of them are in one database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common.domain.errors import TaskQueueError
from common.domain.ids import IdMint
from common.domain.job import (
    MAX_BATCH_BYTES,
    Assignment,
    Execution,
    Job,
    JobSpec,
    JobState,
    Outcome,
)
from common.ports import Exchanged, Submission, Transition
from common.stores.joining import Arguments, Joining
from common.stores.postgres import failures
from common.stores.postgres import shared_statements as statements
from common.stores.postgres.accepting import Accepted, Accepts
from common.stores.postgres.connection import Connection, Rows
from common.stores.postgres.jobs import PostgresJobs, keys_of
from common.stores.postgres.queue import PostgresQueue
from common.stores.postgres.records import before_of, job_of, runs, text
from common.stores.postgres.results import PostgresResults

Report = tuple[Execution, Outcome]


class PostgresShared:
    """The ``SharedState`` port: a step is one statement, or both are, unless one is in its way."""

    def __init__(
        self,
        connection: Connection,
        mint: IdMint,
        jobs: PostgresJobs,
        queue: PostgresQueue,
        results: PostgresResults,
    ) -> None:
        self._joining = Joining(_Statements(connection))
        self._jobs = jobs
        self._queue = queue
        self._results = results
        self._accepts = Accepts(
            self._joining, queue.waking, connection, mint, jobs.clock, jobs.over
        )

    async def accept(self, submissions: Sequence[Submission]) -> list[Job | TaskQueueError]:
        """Create records and enqueue them, of each both or neither."""
        await self._queue.entering.ready()
        answers: dict[int, Job | TaskQueueError] = {}
        for run in runs(list(enumerate(submissions)), lambda each: keys_of(each[1].job)):
            left = dict(run)
            while left:
                wanted, refused = self._counted_in(left)
                made = 0
                if wanted:
                    accepted, made = await self._accept(list(wanted.values()))
                    answers.update(zip(wanted, accepted, strict=True))
                if refused:
                    known = await self._accepts.find([left[place].job for place in refused])
                    for (place, refusal), found in zip(refused.items(), known, strict=True):
                        answers[place] = found or refusal
                # What turned out to need no room leaves it to those that had none.
                again = refused if made < len(wanted) else {}
                left = {place: left[place] for place in again if answers[place] is again[place]}
        return [answers[place] for place in range(len(submissions))]

    async def exchange(
        self,
        worker: str,
        reports: Sequence[tuple[Execution, Outcome]],
        max_jobs: int,
        remove: Sequence[str] = (),
    ) -> Exchanged:
        """Store outputs, end jobs, remove entries; then lease entries and start their jobs."""
        await self._queue.leases.expire()
        # One report of a job is in the statement: of several, the others are refused anyway.
        first = {execution.job_id: (execution, outcome) for execution, outcome in reversed(reports)}
        where = self._queue.where_to_lease()
        arguments = (
            *_columns([first[job_id] for job_id in sorted(first)]),
            self._jobs.clock.now(),
            sorted(set(remove)),
            max_jobs,
            MAX_BATCH_BYTES,
            *where,
            text(worker),
            self._results.over(),
        )
        rows = await self._joining.exchange(arguments)
        parts: dict[str, list[Any]] = {each: [] for each in statements.PARTS}
        for row in rows:
            parts[row["part"]].append(row)
        self._queue.removed(parts[statements.REMOVED])
        taken = self._queue.leased_now(parts[statements.LEASED], max_jobs, where, pressing=False)
        ends = await self._ends(reports, first, parts[statements.ENDED])
        return Exchanged(
            ends, [_assignment(row) for row in taken], await self._starts(worker, taken)
        )

    def _counted_in(
        self, submissions: Mapping[int, Submission]
    ) -> tuple[dict[int, Accepted], dict[int, TaskQueueError]]:
        """Return the submissions that are within the limits, and why the others are not."""
        wanted: dict[int, Accepted] = {}
        refused: dict[int, TaskQueueError] = {}
        for place, submission in submissions.items():
            refusal = self._queue.entering.count_in(len(submission.spec.payload))
            if refusal is None:
                wanted[place] = Accepted.of(submission)
            else:
                refused[place] = refusal
        return wanted, refused

    async def _accept(self, wanted: Sequence[Accepted]) -> tuple[list[Job | TaskQueueError], int]:
        made: set[str] = set()
        answers: list[Job | TaskQueueError] = []
        try:
            for answer, is_made in await self._accepts.create(wanted):
                answers.append(answer)
                if is_made and isinstance(answer, Job):
                    made.add(answer.id)
                    self._jobs.moved(None, answer)
        finally:
            for each in wanted:
                if made.isdisjoint(each.tried):
                    self._queue.entering.count_out(len(each.spec.payload))
        return answers, len(made)

    async def _ends(
        self, reports: Sequence[Report], first: dict[str, Report], rows: Sequence[Any]
    ) -> list[Job | TaskQueueError]:
        """Return what came of each report; why a step was refused is asked in another statement."""
        ended = {first[row["id"]][0]: self._moved(row) for row in rows}
        left = [report for report in reports if report[0] not in ended]
        # The statement stored the output of the first report of a job.
        outputs = [
            (each, outcome.output)
            for each, outcome in left
            if outcome.state is JobState.DONE and each != first[each.job_id][0]
        ]
        if outputs:
            await self._results.store(outputs)
        steps = [Transition(each, outcome.state, "", outcome.failure) for each, outcome in left]
        answers = dict(zip((each for each, _ in left), await self._taken(steps), strict=True))
        late = [each.job_id for each, answer in answers.items() if isinstance(answer, Job)]
        if late:
            await self._queue.remove(late)
        return [ended.get(each) or answers[each] for each, _ in reports]

    async def _starts(self, worker: str, rows: Sequence[Any]) -> list[Job | TaskQueueError]:
        started = {row["job_id"]: self._moved(row) for row in rows if row["id"] is not None}
        left = [_execution(row) for row in rows if row["id"] is None]
        steps = [Transition(each, JobState.RUNNING, worker) for each in left]
        answers = dict(zip((each.job_id for each in left), await self._taken(steps), strict=True))
        return [started.get(row["job_id"]) or answers[row["job_id"]] for row in rows]

    def _moved(self, row: Any) -> Job:
        job = job_of(row)
        self._jobs.moved(before_of(row), job)
        return job

    async def _taken(self, steps: Sequence[Transition]) -> list[Job | TaskQueueError]:
        return await self._jobs.transition(steps) if steps else []


class _Statements:
    """Accepts and exchanges as statements, one for each or for both; a ``Trips``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.name = connection.name

    async def accept(self, arguments: Arguments) -> Rows:
        return await self._connection.rows("accept", statements.ACCEPT, *arguments)

    async def exchange(self, arguments: Arguments) -> Rows:
        return await self._connection.rows("exchange", statements.EXCHANGE, *arguments)

    async def exchange_and_accept(
        self, exchange: Arguments, accept: Arguments
    ) -> tuple[Rows, Rows]:
        rows = await self._connection.rows(
            "exchange_and_accept", statements.EXCHANGE_AND_ACCEPT, *exchange, *accept
        )
        accepted = [row for row in rows if row["part"] == statements.ACCEPTED]
        return [row for row in rows if row["part"] != statements.ACCEPTED], accepted

    def has_brought(self, answer: Rows) -> bool:
        return any(row["part"] == statements.LEASED for row in answer)

    def nothing_happened(self, error: TaskQueueError) -> bool:
        return failures.nothing_happened(error)

    def note_unanswered(self) -> None:
        # What the gauges count is in doubt then, and is counted anew sooner.
        self._connection.unanswered += 1


def _columns(reports: Sequence[Report]) -> tuple[list[Any], ...]:
    """Return reports as the statement takes them, column by column."""
    failures = [outcome.failure for _, outcome in reports]
    return (
        [execution.job_id for execution, _ in reports],
        [execution.attempt for execution, _ in reports],
        [outcome.state for _, outcome in reports],
        [failure and text(failure.reason) for failure in failures],
        [failure and text(failure.message) for failure in failures],
        [outcome.output if outcome.state is JobState.DONE else None for _, outcome in reports],
    )


def _execution(row: Any) -> Execution:
    return Execution(row["job_id"], row["entry_attempt"])


def _assignment(row: Any) -> Assignment:
    spec = JobSpec(row["entry_kind"], row["payload"], row["timeout"])
    return Assignment(_execution(row), spec, row["correlation_id"])
