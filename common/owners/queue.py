"""The queue owner: sole writer of queue membership.

An entry is visible, waiting in line, or leased to a consumer until it is removed or its lease runs
out; then it becomes visible again, ahead of those never leased. Each lease mints the next attempt
number of its job: the fencing token of that execution. Every operation costs O(log n) or less.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from common.domain.errors import QueueFull, SubmitWithdrawn, TaskQueueError
from common.domain.job import MAX_BATCH_BYTES, MICROSECONDS, Assignment, Execution
from common.owners.recent import Recent
from common.ports import Clock, Dequeued, NewEntry, QueueObserver

# Seconds for which a job is kept out: the longest that any message may be under way.
KEPT_OUT = 3600.0


@dataclass(slots=True)
class _Entry:
    """One job in the queue. ``leased_until`` is 0 while it is visible."""

    entry: NewEntry
    since: int
    attempt: int = 0
    leased_until: int = 0


class QueueOwner:
    """The ``Queue`` port: holds the entries. ``lease`` is in seconds; the limits bound them."""

    def __init__(
        self, clock: Clock, observer: QueueObserver, lease: float, max_jobs: int, max_bytes: int
    ) -> None:
        self._clock = clock
        self._observer = observer
        self._lease = int(lease * MICROSECONDS)
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._entries: dict[str, _Entry] = {}
        self._visible: OrderedDict[str, _Entry] = OrderedDict()
        self._expiries: list[tuple[int, str, int]] = []
        self._kept_out: Recent[bool] = Recent(clock, KEPT_OUT)
        self._bytes = 0
        self._waiters: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._stopping = False

    async def enqueue(self, entries: Sequence[NewEntry]) -> list[TaskQueueError | None]:
        """Add jobs at the end; one that is present stays where it is.

        May give ``QueueFull``, and ``SubmitWithdrawn`` for a job that is kept out.
        """
        return [self._enqueue(entry) for entry in entries]

    async def dequeue(
        self,
        max_jobs: int,
        max_wait: float = 0.0,
        renew: Sequence[Execution] = (),
        release: Sequence[Execution] = (),
        remove: Sequence[str] = (),
    ) -> Dequeued:
        for job_id in remove:
            self._remove(job_id)
        lost = [execution for execution in renew if not self._renew(execution)]
        for execution in reversed(release):
            self._release(execution)
        if max_jobs and not self._ready() and max_wait > 0:
            await self._wait(max_wait)
        return Dequeued(self._take(max_jobs), lost)

    async def remove(self, job_ids: Sequence[str]) -> list[bool]:
        return [self._remove(job_id) for job_id in job_ids]

    async def keep_out(self, job_ids: Sequence[str]) -> list[bool]:
        absent = [job_id not in self._entries for job_id in job_ids]
        for job_id, is_absent in zip(job_ids, absent, strict=True):
            if is_absent:
                self._kept_out.note(job_id, True)
        return absent

    def stop_waiting(self) -> None:
        """Answer every waiting dequeue now, and later ones without waiting: the process stops."""
        self._stopping = True
        while self._waiters:
            self._wake()

    async def sample(self) -> None:
        """Do nothing: the numbers are at hand."""

    def depth(self) -> int:
        """Number of entries that wait, leased ones not counted."""
        return len(self._visible)

    def leased(self) -> int:
        """Number of entries that are leased."""
        return len(self._entries) - len(self._visible)

    def oldest_age(self) -> float:
        """Seconds that the first in line has waited; 0 if none waits."""
        first = next(iter(self._visible.values()), None)
        return 0.0 if first is None else (self._clock.now() - first.since) / MICROSECONDS

    def _enqueue(self, entry: NewEntry) -> TaskQueueError | None:
        if entry.job_id in self._entries:
            return None
        if self._kept_out.get(entry.job_id):
            return SubmitWithdrawn(f"job {entry.job_id}")
        if len(self._entries) >= self._max_jobs:
            return QueueFull("max_queued_jobs", self._max_jobs)
        size = len(entry.spec.payload)
        if self._bytes + size > self._max_bytes:
            return QueueFull("max_queued_bytes", self._max_bytes)
        self._bytes += size
        held = _Entry(entry, self._clock.now())
        self._entries[entry.job_id] = held
        self._visible[entry.job_id] = held
        self._wake()
        return None

    def _remove(self, job_id: str) -> bool:
        held = self._entries.pop(job_id, None)
        if held is None:
            return False
        self._visible.pop(job_id, None)
        self._bytes -= len(held.entry.spec.payload)
        return True

    def _renew(self, execution: Execution) -> bool:
        held = self._leased_as(execution)
        if held is None:
            return False
        held.leased_until = self._clock.now() + self._lease
        return True

    def _release(self, execution: Execution) -> None:
        held = self._leased_as(execution)
        if held is not None:
            self._show_again(held)

    def _leased_as(self, execution: Execution) -> _Entry | None:
        self._expire()
        held = self._entries.get(execution.job_id)
        if held is None or not held.leased_until or held.attempt != execution.attempt:
            return None
        return held

    def _show_again(self, held: _Entry) -> None:
        job_id = held.entry.job_id
        held.leased_until = 0
        held.since = self._clock.now()
        self._visible[job_id] = held
        self._visible.move_to_end(job_id, last=False)
        self._observer.redelivered(Execution(job_id, held.attempt))
        self._wake()

    def _expire(self) -> None:
        """Show the entries again whose lease has run out; renewed ones are filed anew."""
        now = self._clock.now()
        while self._expiries and self._expiries[0][0] <= now:
            filed, job_id, attempt = heapq.heappop(self._expiries)
            held = self._entries.get(job_id)
            if held is None or held.attempt != attempt or not held.leased_until:
                continue
            if held.leased_until > filed:
                heapq.heappush(self._expiries, (held.leased_until, job_id, attempt))
            else:
                self._show_again(held)

    def _ready(self) -> bool:
        self._expire()
        return bool(self._visible)

    def _take(self, max_jobs: int) -> list[Assignment]:
        self._expire()
        taken: list[Assignment] = []
        size = 0
        while self._visible and len(taken) < max_jobs:
            job_id, held = next(iter(self._visible.items()))
            size += len(held.entry.spec.payload)
            if taken and size > MAX_BATCH_BYTES:
                break
            del self._visible[job_id]
            held.attempt += 1
            held.leased_until = self._clock.now() + self._lease
            heapq.heappush(self._expiries, (held.leased_until, job_id, held.attempt))
            execution = Execution(job_id, held.attempt)
            taken.append(Assignment(execution, held.entry.spec, held.entry.correlation_id))
        if self._visible:
            self._wake()
        return taken

    async def _wait(self, max_wait: float) -> None:
        """Wait for an entry to be visible, in the order of arrival, up to ``max_wait`` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + max_wait
        while (left := end - loop.time()) > 0 and not self._ready() and not self._stopping:
            waiter = loop.create_future()
            self._waiters[waiter] = None
            try:
                await asyncio.wait([waiter], timeout=min(left, self._until_expiry()))
            except asyncio.CancelledError:
                if waiter.done() and self._visible:
                    self._wake()
                raise
            finally:
                self._waiters.pop(waiter, None)

    def _until_expiry(self) -> float:
        """Seconds until a lease may run out; waiting longer could miss it."""
        if not self._expiries:
            return float("inf")
        return max(0.0, (self._expiries[0][0] - self._clock.now()) / MICROSECONDS) + 0.001

    def _wake(self) -> None:
        """Wake whoever has waited longest and still waits; it wakes the next if more is left."""
        if self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            waiter.set_result(None)
