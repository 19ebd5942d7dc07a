"""Expiry: from when on a system may have forgotten a job, because its retention is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.record.history.model import OPEN_END, History, Operation, Seen, Submitted

if TYPE_CHECKING:
    from testbed.check.index import Index, JobHistory

CLOCK_SLACK_US = 1_000_000
"""By how much the clocks of the processes that share a store may differ, at most."""
_CLOCK = "clock"


class Expiry:
    """When jobs may be forgotten, on the clock of the history.

    When a job ended is known on its owner's clock alone. What the history shows of it is a moment
    before which it cannot have ended, and nothing is concluded from any later one.
    """

    def __init__(self, history: History) -> None:
        self._kept = max(0, history.retention_us - CLOCK_SLACK_US)
        moved = (fault.begun for fault in history.faults if fault.kind == _CLOCK)
        # From then on an owner may take a job for older than it is.
        self._moved = min(moved, default=OPEN_END)

    def of(self, index: Index, job: JobHistory) -> int:
        """Return from when on a job may be forgotten."""
        earliest = self._earliest_end(index, job)
        if earliest + self._kept < self._moved:
            return earliest + self._kept
        return max(earliest, self._moved)

    def _earliest_end(self, index: Index, job: JobHistory) -> int:
        """Return a moment before which the job cannot have ended."""
        born = _born(index, job)
        earliest = born
        for observation in job.observations:
            if observation.unfinished:
                earliest = max(earliest, observation.op.invoked)
            seen = observation.what
            # The difference of its own times holds whatever its owner's clock shows.
            if isinstance(seen, Seen) and observation.terminal and self._moved == OPEN_END:
                earliest = max(earliest, born + _lasted(seen))
        return earliest


def _lasted(seen: Seen) -> int:
    """Return how long it took a job to end, at least."""
    if seen.finish_us is None or seen.create_us is None:
        return 0
    return seen.finish_us - seen.create_us


def _born(index: Index, job: JobHistory) -> int:
    """Return when the first submit was invoked that can have made the job."""
    may_have: list[Operation] = []
    for submit in job.submits:
        assert isinstance(submit.asked, Submitted)
        may_have += index.by_request.get(submit.asked.request_id, [submit])
    return min((submit.invoked for submit in may_have), default=0)
