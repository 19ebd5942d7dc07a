"""What a store is, and what it opens."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry

from common.domain.ids import IdMint
from common.ports import (
    Clock,
    JobCounts,
    JobObserver,
    Jobs,
    Queue,
    QueueGauges,
    QueueObserver,
    Results,
    SharedState,
)


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
    """Keeps the state of a process, or of all processes that share it.

    One that is ``remote`` is a server outside the process, which may be out of reach.
    """

    remote: bool

    @property
    def clock(self) -> Clock:
        """The clock of all who share the store."""
        ...

    async def refresh(self) -> None:
        """Connect and prepare it where that is needed, and do what is due now and then.

        That is to compare the clocks, to read what the gauges show, and to delete what is
        forgotten. Raises ``TaskQueueError`` as long as the store cannot be used.
        """
        ...

    def jobs(self, mint: IdMint, observer: JobObserver) -> StoredJobs:
        """Open job metadata and state; ``mint`` makes the ids of new jobs."""
        ...

    def queue(self, observer: QueueObserver) -> StoredQueue:
        """Open queue membership."""
        ...

    def results(self) -> Results:
        """Open result payloads."""
        ...

    def shared(self) -> SharedState | None:
        """Open what takes steps over all three at once, if the store can; they are open already."""
        ...

    async def close(self) -> None:
        """Close what was opened."""
        ...


@runtime_checkable
class Exposing(Protocol):
    """A store that has metrics of its own."""

    def expose(self, registry: CollectorRegistry) -> None:
        """Show them."""
        ...
