"""Entries that come into the queue, within its limits."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.errors import QueueFull, SubmitWithdrawn, TaskQueueError
from common.ports import NewEntry
from common.stores.postgres import queue_statements as statements
from common.stores.postgres.connection import Connection
from common.stores.postgres.members import BYTES, LEASED, WAITING, Members
from common.stores.postgres.records import text


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
        wanted: dict[str, NewEntry] = {}
        refused: dict[str, TaskQueueError] = {}
        for entry in entries:
            if entry.job_id not in wanted:
                refusal = self.count_in(len(entry.spec.payload))
                if refusal is None:
                    wanted[entry.job_id] = entry
                else:
                    refused[entry.job_id] = refusal
        added: set[str] = set()
        try:
            if wanted:
                added = await self._insert(list(wanted.values()), now)
        finally:
            for job_id, entry in wanted.items():
                if job_id not in added:
                    self.count_out(len(entry.spec.payload))
        left = [job_id for job_id in (*wanted, *refused) if job_id not in added]
        known = await self._known(left) if left else {}
        return [known.get(each.job_id, refused.get(each.job_id)) for each in entries], len(added)

    async def ready(self) -> None:
        """Know how much there is."""
        if not self._members.met:
            await self._members.meet()

    async def _insert(self, entries: Sequence[NewEntry], now: int) -> set[str]:
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
        return {row["job_id"] for row in rows}

    async def _known(self, job_ids: Sequence[str]) -> dict[str, TaskQueueError | None]:
        """Return what is in the way of those that did not come in but are known."""
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
