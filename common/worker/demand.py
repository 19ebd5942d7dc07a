"""What a worker has to do: slots to fill, and ended executions to report."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from common.worker.held import Holdings


class Demand:
    """Wakes the loops of a worker by what it holds; to be updated when that has changed.

    The answer to a report may bring the next jobs. So while something is to be reported a fetch
    waits for what slots are left, unless reports fail.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._asked = 0
        self.reports_fail = False
        self.to_fetch = asyncio.Event()
        self.to_report = asyncio.Event()
        self.all_reported = asyncio.Event()
        self.update()

    @property
    def free(self) -> int:
        """Slots that are free and that no call under way may fill."""
        return max(0, self._holdings.free - self._asked)

    @contextmanager
    def asking(self, jobs: int) -> Iterator[None]:
        """Ask for so many jobs, which nothing else may count on meanwhile."""
        self._asked += jobs
        self.update()
        try:
            yield
        finally:
            self._asked -= jobs
            self.update()

    def reported(self, answered: bool) -> None:
        """Note whether a report was answered."""
        self.reports_fail = not answered
        self.update()

    def update(self) -> None:
        """Take account of what the worker holds now."""
        ended = self._holdings.to_report
        _set(self.to_fetch, self.free > 0 and not (ended and not self.reports_fail))
        _set(self.to_report, ended)
        _set(self.all_reported, not ended)


def _set(event: asyncio.Event, value: bool) -> None:
    if value:
        event.set()
    else:
        event.clear()
