"""What owners need in a test: a clock to turn by hand, and an observer that remembers."""

from __future__ import annotations

from common.domain.errors import TaskQueueError
from common.domain.job import Execution, Job


class HandClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.time = 1_700_000_000_000_000

    def now(self) -> int:
        return self.time

    def advance(self, seconds: float) -> None:
        """Turn the clock forward."""
        self.time += int(seconds * 1_000_000)


class Silence:
    """An observer that only remembers."""

    def __init__(self) -> None:
        self.steps: list[tuple[Job | None, Job]] = []
        self.rejections: list[TaskQueueError] = []
        self.redeliveries: list[Execution] = []

    def transitioned(self, before: Job | None, after: Job) -> None:
        self.steps.append((before, after))

    def rejected(self, error: TaskQueueError) -> None:
        self.rejections.append(error)

    def redelivered(self, execution: Execution) -> None:
        self.redeliveries.append(execution)
