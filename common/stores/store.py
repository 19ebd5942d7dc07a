"""What a store is, and what it opens."""

from __future__ import annotations

from typing import Protocol

from common.domain.ids import IdMint
from common.ports import JobCounts, JobObserver, Jobs, Queue, QueueGauges, QueueObserver, Results


class StoredJobs(Jobs, JobCounts, Protocol):
    """Job metadata and state, as a process keeps them."""

    async def sample(self) -> None:
        """Read what the gauges show, where that is not at hand."""
        ...


class StoredQueue(Queue, QueueGauges, Protocol):
    """Queue membership, as a process keeps it."""

    async def sample(self) -> None:
        """Read what the gauges show, where that is not at hand."""
        ...

    def stop_waiting(self) -> None:
        """Answer every waiting dequeue now, and later ones without waiting: the process stops."""
        ...


class Store(Protocol):
    """Keeps the state of a process, or of all processes that share it."""

    def jobs(self, mint: IdMint, observer: JobObserver) -> StoredJobs:
        """Open job metadata and state; ``mint`` makes the ids of new jobs."""
        ...

    def queue(self, observer: QueueObserver) -> StoredQueue:
        """Open queue membership."""
        ...

    def results(self) -> Results:
        """Open result payloads."""
        ...

    async def close(self) -> None:
        """Close what was opened."""
        ...
