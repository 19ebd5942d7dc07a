"""What leads to a record: submits and request ids, and how they are taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from common.domain import lifecycle
from common.domain.errors import JobNotFound, RequestIdReused, SubmitWithdrawn, TaskQueueError
from common.domain.ids import IdMint
from common.domain.job import Job, JobState
from common.ports import Clock, NewJob
from common.stores.postgres import statements
from common.stores.postgres.connection import Connection
from common.stores.postgres.records import job_of

_WITHDRAWN = "~"


class Submits:
    """Makes records, each submit and request id one. ``over`` is the end that is forgotten now."""

    def __init__(
        self, connection: Connection, mint: IdMint, clock: Clock, over: Callable[[], int]
    ) -> None:
        self._connection = connection
        self._mint = mint
        self._clock = clock
        self._over = over
        self._kinds: set[str] = set()

    async def create(self, jobs: Sequence[NewJob]) -> tuple[list[Job], list[Job | TaskQueueError]]:
        """Return the records that were made, and the answer to each; none may be twice in it."""
        await self._know({new.kind for new in jobs})
        made: list[Job] = []
        answers: dict[int, Job | TaskQueueError] = {}
        left = dict(enumerate(jobs))
        while left:
            tried = await self._make(list(left.values()))
            for place, (job, is_made) in zip(left, tried, strict=True):
                if is_made:
                    made.append(job)
                    answers[place] = job
            left = {place: new for place, new in left.items() if place not in answers}
            if left:
                # What is in the way of one may have gone by now: that is tried again.
                ids = [job.id for job, is_made in tried if not is_made]
                found = await self._met(list(left.values()), ids)
                answers.update(
                    (place, answer)
                    for place, answer in zip(left, found, strict=True)
                    if answer is not None
                )
                left = {place: new for place, new in left.items() if place not in answers}
        return made, [answers[place] for place in range(len(jobs))]

    async def find(self, jobs: Sequence[NewJob]) -> list[Job | TaskQueueError | None]:
        """Return what was met before in the place of each, ``None`` for one that is new."""
        if not any(new.request_id for new in jobs):
            return [None] * len(jobs)
        return await self._met(jobs, [""] * len(jobs))

    async def withdrawn(self, submit_id: str) -> str:
        """Let a submit make no job from now on; returns the id of the one that it has made."""
        if not submit_id:
            return ""
        now = self._clock.now()
        rows = await self._connection.rows("withdraw", statements.WITHDRAWN, submit_id, now)
        if rows:
            return ""
        rows = await self._connection.rows("get", statements.MET, [submit_id], [], self._over())
        return rows[0]["id"] if rows and rows[0]["state"] else ""

    async def withdraw(self, submit_id: str, job_id: str) -> Job | None:
        """Forget a job that waits and on which no other submit relies; returns it as CANCELED."""
        now = self._clock.now()
        if submit_id:
            await self._connection.rows("withdraw", statements.WITHDRAWN, submit_id, now)
        rows = await self._connection.rows("withdraw", statements.WITHDRAW, job_id, submit_id, now)
        return _forgotten(rows[0], now) if rows else None

    async def forget(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Forget the jobs of these that wait; returns them as CANCELED, by id."""
        now = self._clock.now()
        rows = await self._connection.rows("forget", statements.FORGET, sorted(set(job_ids)), now)
        return {row["id"]: _forgotten(row, now) for row in rows}

    async def _know(self, kinds: set[str]) -> None:
        if new := sorted(kinds - self._kinds):
            await self._connection.rows("create", statements.KINDS, new)
            self._kinds.update(new)

    async def _make(self, jobs: Sequence[NewJob]) -> list[tuple[Job, bool]]:
        now = self._clock.now()
        new: list[Job] = []
        for each in jobs:
            job_id = self._mint.next(now)
            new.append(Job(job_id, each.kind, JobState.QUEUED, self._mint.latest))
        made = await self._insert(jobs, new)
        return [(job, job.id in made) for job in new]

    async def _insert(self, jobs: Sequence[NewJob], new: Sequence[Job]) -> set[str]:
        """Insert new records; returns the ids of those that nothing was in the way of."""
        rows = await self._connection.rows("create", statements.CREATE, *columns(jobs, new))
        return {row["id"] for row in rows}

    async def _met(
        self, jobs: Sequence[NewJob], ids: Sequence[str]
    ) -> list[Job | TaskQueueError | None]:
        """Return what was met in the place of each, ``None`` for nothing that is there still.

        ``ids`` are those that their jobs would have had.
        """
        rows = await self._connection.rows(
            "get",
            statements.MET,
            [new.submit_id for new in jobs if new.submit_id],
            [new.request_id.encode() for new in jobs if new.request_id],
            self._over(),
        )
        submits = {row["submit_id"]: row for row in rows if row["request"] is None}
        requests = {row["request"]: row for row in rows if row["request"] is not None}
        answers: list[Job | TaskQueueError | None] = []
        for new, job_id in zip(jobs, ids, strict=True):
            submit, request = submits.get(new.submit_id), requests.get(new.request_id.encode())
            if request is not None and (request["id"] is None or request["holder"] == job_id):
                # Its job has gone; or never came, for its submit was met at the same time.
                await self._connection.rows(
                    "create", statements.FREE, request["request"], request["holder"]
                )
                request = None
            answers.append(_answer(new, submit, request))
        return answers


def _answer(new: NewJob, submit: Any, request: Any) -> Job | TaskQueueError | None:
    """Return what came of a submit that made no job, from the rows of it and its request id."""
    if submit is not None:
        if submit["state"]:
            return job_of(submit)
        if submit["id"].startswith(_WITHDRAWN):
            return SubmitWithdrawn(f"submit {new.submit_id}")
        return JobNotFound(submit["id"])
    if request is None:
        return None
    return job_of(request) if request["digest"] == new.digest else RequestIdReused(new.request_id)


def _forgotten(row: Any, now: int) -> Job:
    """Return a job that waited and is forgotten, as CANCELED."""
    waiting = Job(row["id"], row["kind"], JobState.QUEUED, row["created"])
    return lifecycle.request_cancel(waiting, now)


def columns(jobs: Sequence[NewJob], new: Sequence[Job]) -> tuple[list[Any], ...]:
    """Return new records as a statement takes them, column by column."""
    return (
        [job.id for job in new],
        [job.create_time for job in new],
        [each.kind for each in jobs],
        [each.request_id.encode() or None for each in jobs],
        [each.digest for each in jobs],
        [each.submit_id or None for each in jobs],
    )
