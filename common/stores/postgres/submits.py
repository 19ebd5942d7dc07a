"""What leads to a record: submits and request ids, and how they are taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from common.domain import lifecycle
from common.domain.errors import JobNotFound, RequestIdReused, SubmitWithdrawn, TaskQueueError
from common.domain.ids import IdMint
from common.domain.job import MICROSECONDS, Job, JobState
from common.owners.jobs import REMEMBERED
from common.ports import Clock, NewJob
from common.stores.postgres import statements
from common.stores.postgres.connection import Connection
from common.stores.postgres.records import job_of

_REMEMBERED = int(REMEMBERED * MICROSECONDS)


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

    async def create(self, jobs: Sequence[NewJob]) -> list[tuple[Job | TaskQueueError, bool]]:
        """Return the answer to each, and whether its record was made; none may be twice in it."""
        await self._know({new.kind for new in jobs})
        answers: dict[int, tuple[Job | TaskQueueError, bool]] = {}
        left = dict(enumerate(jobs))
        while left:
            tried = await self._make(list(left.values()))
            answers.update(
                (place, (job, True))
                for place, (job, is_made) in zip(left, tried, strict=True)
                if is_made
            )
            left = {place: new for place, new in left.items() if place not in answers}
            if not left:
                break
            # What is in the way of one may have gone by now: that is tried again.
            ids = [job.id for job, is_made in tried if not is_made]
            found = await self._met(list(left.values()), ids)
            answers.update(
                (place, (answer, False))
                for place, answer in zip(left, found, strict=True)
                if answer is not None
            )
            left = {place: new for place, new in left.items() if place not in answers}
        return [answers[place] for place in range(len(jobs))]

    async def find(self, jobs: Sequence[NewJob]) -> list[Job | TaskQueueError | None]:
        """Return what was met before in the place of each, ``None`` for one that is new."""
        if not any(new.request_id for new in jobs):
            return [None] * len(jobs)
        return await self._met(jobs, [""] * len(jobs))

    async def withdrawn(self, submit_id: str) -> str:
        """Let a submit make no job from now on; returns the id of the one that it has."""
        while submit_id:
            now = self._clock.now()
            arguments = (submit_id, now)
            if await self._connection.rows("withdraw", statements.WITHDRAWN, *arguments):
                break
            rows = await self._ask_met([submit_id], [None], [None], now)
            if not rows:
                continue
            if rows[0]["noted"] < now - _REMEMBERED:
                await self._forget_submits([submit_id], now)
                continue
            if rows[0]["id"] is not None:
                job_id: str = rows[0]["id"]
                return job_id
            await self._connection.rows("withdraw", statements.WITHDRAW_SUBMIT, *arguments)
            break
        return ""

    async def withdraw(self, submit_id: str, job_id: str) -> Job | None:
        """Forget a job that waits and on which no other submit relies; returns it as CANCELED."""
        now = self._clock.now()
        rows = await self._connection.rows("withdraw", statements.WITHDRAW, job_id, submit_id)
        return _forgotten(rows[0], now) if rows else None

    async def forget(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Forget the jobs of these that wait; returns them as CANCELED, by id."""
        now = self._clock.now()
        rows = await self._connection.rows("forget", statements.FORGET, sorted(set(job_ids)))
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
        now = self._clock.now()
        rows = await self._ask_met(*_keys(jobs), now)
        submits = {row["submit"]: row for row in rows if row["request"] is None}
        requests = {row["request"]: row for row in rows if row["request"] is not None}
        answers: list[Job | TaskQueueError | None] = []
        old: list[str] = []
        for new, job_id in zip(jobs, ids, strict=True):
            submit, request = submits.get(new.submit_id), requests.get(new.request_id.encode())
            if request is not None and (request["id"] is None or request["holder"] == job_id):
                # Its job has gone; or never came, for its submit was met at the same time.
                arguments = (request["request"], request["holder"])
                await self._connection.rows("create", statements.FREE, *arguments)
                request = None
            if submit is not None and submit["noted"] < now - _REMEMBERED:
                old.append(new.submit_id)
                answers.append(None)
            else:
                answers.append(_answer(new, submit, request))
        if old:
            await self._forget_submits(old, now)
        return answers

    async def _ask_met(
        self,
        submits: Sequence[str | None],
        requests: Sequence[bytes | None],
        digests: Sequence[bytes | None],
        now: int,
    ) -> list[Any]:
        arguments = (submits, requests, digests, now, self._over())
        return await self._connection.rows("met", statements.MET, *arguments)

    async def _forget_submits(self, submits: Sequence[str], now: int) -> None:
        arguments = (submits, now - _REMEMBERED)
        await self._connection.rows("create", statements.FORGET_SUBMITS, *arguments)


def _keys(jobs: Sequence[NewJob]) -> tuple[list[str | None], list[bytes | None], list[bytes]]:
    """Return submits, request ids and digests as statements take them."""
    return (
        [new.submit_id or None for new in jobs],
        [new.request_id.encode() or None for new in jobs],
        [new.digest for new in jobs],
    )


def _answer(new: NewJob, submit: Any, request: Any) -> Job | TaskQueueError | None:
    """Return what came of a submit that made no job, from the rows of it and its request id."""
    if submit is not None:
        if submit["id"] is not None:
            return job_of(submit)
        if not submit["holder"]:
            return SubmitWithdrawn(f"submit {new.submit_id}")
        return JobNotFound(submit["holder"])
    if request is None:
        return None
    if request["digest"] != new.digest:
        return RequestIdReused(new.request_id)
    # One that is not noted was met at the same time: what came of it is found when asked again.
    is_noted = not new.submit_id or new.submit_id in request["relied"]
    return job_of(request) if is_noted else None


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
