"""State in the memory of the process, which is lost with it."""

from __future__ import annotations

from common.config import Settings
from common.domain.ids import IdMint
from common.owners.jobs import JobOwner
from common.owners.queue import QueueOwner
from common.owners.results import ResultOwner
from common.ports import Clock, JobObserver, QueueObserver


class MemoryStore:
    """The ``Store`` port over owners in this process."""

    remote = False

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self.clock = clock

    async def refresh(self) -> None:
        """Do nothing: it is there, and forgets by itself."""

    def jobs(self, mint: IdMint, observer: JobObserver) -> JobOwner:
        """Open an empty job owner."""
        return JobOwner(mint, self.clock, observer, self._settings.retention)

    def queue(self, observer: QueueObserver) -> QueueOwner:
        """Open an empty queue owner."""
        settings = self._settings
        return QueueOwner(
            self.clock,
            observer,
            settings.lease,
            settings.max_queued_jobs,
            settings.max_queued_bytes,
        )

    def results(self) -> ResultOwner:
        """Open an empty result owner."""
        return ResultOwner(self.clock, self._settings.retention)

    def shared(self) -> None:
        """Open nothing: a step in memory costs nothing that could be saved."""

    async def close(self) -> None:
        """Keep everything: it goes with the process."""
