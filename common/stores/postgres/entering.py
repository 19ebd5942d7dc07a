"""Entries that come into the queue, within its limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from common.domain.errors import QueueFull, SubmitWithdrawn, TaskQueueError
from common.ports import NewEntry
from common.stores.postgres import queue_statements as statements
from common.stores.postgres.connection import Connection
from common.stores.postgres.members import BYTES, LEASED, WAITING, Members
from common.stores.postgres.records import runs, text


class Entering:
    """Lets entries in up to ``max_jobs`` and ``max_bytes`` of all who share the store.

    What is on its way in counts, so that a crowd does not go over a limit together.
    """

    def __init__(
        self, connection: Connection, members: Members, max_jobs: int, max_bytes: int
    ) -> None:
        self._connection = connection
        self._members = members
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes

    async def enqueue(
        self, entries: Sequence[NewEntry], now: int
    ) -> tuple[list[TaskQueueError | None], int]:
        """Return why each was refused, ``None`` for one that is in, and how many came in."""
        await self.ready()
        answers: list[TaskQueueError | None] = []
        came = 0
        for run in runs(entries, lambda entry: [entry.job_id]):
            said, number = await self._enqueue(run, now)
            answers += [said[entry.job_id] for entry in run]
            came += number
        return answers, came

    async def _enqueue(
        self, entries: Sequence[NewEntry], now: int
    ) -> tuple[dict[str, TaskQueueError | None], int]:
        left = {entry.job_id: entry for entry in entries}
        answers: dict[str, TaskQueueError | None] = dict.fromkeys(left)
        came = 0
        while left:
            wanted, refused = self._counted_in(left.values())
            added = await self._insert(wanted, now) if wanted else set()
            came += len(added)
            known = await self._known([job_id for job_id in left if job_id not in added])
            answers.update({**refused, **known, **dict.fromkeys(added)})
            # What turned out to need no room leaves it to those that had none.
            again = refused.keys() - known.keys() if len(added) < len(wanted) else ()
            left = {job_id: left[job_id] for job_id in left if job_id in again}
        return answers, came

    def _counted_in(
        self, entries: Iterable[NewEntry]
    ) -> tuple[list[NewEntry], dict[str, TaskQueueError]]:
        """Return the entries that are within the limits, and why the others are not."""
        wanted: list[NewEntry] = []
        refused: dict[str, TaskQueueError] = {}
        for entry in entries:
            if (refusal := self.count_in(len(entry.spec.payload))) is None:
                wanted.append(entry)
            else:
                refused[entry.job_id] = refusal
        return wanted, refused

    async def ready(self) -> None:
        """Know how much there is."""
        if not self._members.met:
            await self._members.meet()

    async def _insert(self, entries: Sequence[NewEntry], now: int) -> set[str]:
        """Insert entries that are counted in; returns which came in, for the others are not."""
        added: set[str] = set()
        try:
            rows = await self._connection.rows(
                "enqueue",
                statements.ENQUEUE,
                [each.job_id for each in entries],
                [each.spec.kind for each in entries],
                [each.spec.payload for each in entries],
                [each.spec.execution_timeout for each in entries],
                [text(each.correlation_id) for each in entries],
                now,
            )
            added = {row["job_id"] for row in rows}
        finally:
            for entry in entries:
                if entry.job_id not in added:
                    self.count_out(len(entry.spec.payload))
        return added

    async def _known(self, job_ids: Sequence[str]) -> dict[str, TaskQueueError | None]:
        """Return what is in the way of those that did not come in but are known."""
        if not job_ids:
            return {}
        rows = await self._connection.rows("enqueue", statements.KNOWN, job_ids)
        return {
            row["job_id"]: SubmitWithdrawn(f"job {row['job_id']}") if row["out"] else None
            for row in rows
        }

    def count_in(self, size: int) -> TaskQueueError | None:
        """Count an entry in, of so many bytes, unless that is over a limit."""
        if self._members.total(WAITING) + self._members.total(LEASED) >= self._max_jobs:
            return QueueFull("max_queued_jobs", self._max_jobs)
        if self._members.total(BYTES) + size > self._max_bytes:
            return QueueFull("max_queued_bytes", self._max_bytes)
        self._members.add(WAITING)
        self._members.add(BYTES, size)
        return None

    def count_out(self, size: int) -> None:
        """Count an entry out again that did not come in."""
        self._members.add(WAITING, -1)
        self._members.add(BYTES, -size)
