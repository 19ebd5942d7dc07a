"""What a worker holds: executions that run, and ended ones that nobody has taken yet."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import Enum

from common.domain.job import MAX_BATCH_BYTES, Assignment, Execution, Outcome
from common.worker.outcomes import CANCELED, failed

logger = logging.getLogger(__name__)


class Intent(Enum):
    """What becomes of an execution when it is stopped."""

    FINISH = "finish"
    CANCEL = "cancel"
    RETURN = "return"
    DROP = "drop"


@dataclass(eq=False, slots=True)
class Held:
    """One execution: its task while it runs, then its outcome, or none if it is given back."""

    assignment: Assignment
    intent: Intent = Intent.FINISH
    task: asyncio.Task[Outcome] | None = None
    outcome: Outcome | None = None

    @property
    def execution(self) -> Execution:
        """Which execution."""
        return self.assignment.execution

    def stop(self, intent: Intent) -> None:
        """Stop it if it runs; the first intent stays, but any gives way to DROP."""
        if self.intent is Intent.FINISH or intent is Intent.DROP:
            first = self.intent is Intent.FINISH
            self.intent = intent
            if first and self.task is not None:
                self.task.cancel()

    def settle(self, task: asyncio.Task[Outcome]) -> None:
        """Take the outcome from the ended task.

        One that ended before its stop reached it has its own outcome; one that was stopped to be
        given back has none.
        """
        self.task = None
        if not task.cancelled():
            error = task.exception()
            if error is None:
                self.outcome = task.result()
            else:
                logger.error("the executor failed", exc_info=error, extra=extra(self.assignment))
                self.outcome = failed("EXECUTOR_ERROR", f"{type(error).__name__}: {error}")
        elif self.intent is Intent.FINISH:
            self.outcome = failed("HANDLER_ERROR", "CancelledError: the handler canceled itself")
        elif self.intent is Intent.CANCEL:
            self.outcome = CANCELED


class Holdings:
    """The executions of one worker with ``slots`` slots.

    One that runs occupies a slot until it has really ended, even if it was dropped. Ended ones
    wait to be reported, and while ``2 * slots`` of them do, nothing more is taken on, so that
    memory stays bounded while the coordinator is out of reach.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._running: set[Held] = set()
        self._ended: dict[Execution, Held] = {}
        self._by_job: dict[str, Held] = {}

    @property
    def busy(self) -> int:
        """Slots in use."""
        return len(self._running)

    @property
    def free(self) -> int:
        """How many executions can be taken on now."""
        return max(0, min(self.slots - self.busy, 2 * self.slots - len(self._ended)))

    def executions(self) -> list[Execution]:
        """Everything held, ended or not."""
        return [held.execution for held in self._by_job.values()]

    def running(self) -> list[Held]:
        """What occupies slots."""
        return list(self._running)

    @property
    def to_report(self) -> bool:
        """Whether something is to be reported or given back."""
        return bool(self._ended)

    def batch(self) -> tuple[list[tuple[Held, Outcome]], list[Held]]:
        """Choose what goes into one report: what ended, the oldest first, and what is given back.

        Outputs are at most ``MAX_BATCH_BYTES`` together, unless the first is larger.
        """
        reports: list[tuple[Held, Outcome]] = []
        returned: list[Held] = []
        left = MAX_BATCH_BYTES
        for held in self._ended.values():
            if held.outcome is None:
                returned.append(held)
                continue
            left -= len(held.outcome.output)
            if left >= 0 or not reports:
                reports.append((held, held.outcome))
        return reports, returned

    def of_job(self, job_id: str) -> Held | None:
        """Return what is held of a job."""
        return self._by_job.get(job_id)

    def find(self, execution: Execution) -> Held | None:
        """Return what is held of an execution."""
        held = self._by_job.get(execution.job_id)
        return held if held is not None and held.execution == execution else None

    def add(self, held: Held) -> None:
        """Take on an execution of a job of which nothing is held."""
        self._running.add(held)
        self._by_job[held.execution.job_id] = held

    def refuse(self, held: Held) -> None:
        """Give an execution back that was not begun, unless another of its job is held."""
        if held.execution.job_id not in self._by_job:
            self.add(held)
            self.end(held)

    def end(self, held: Held) -> None:
        """Free the slot; what was not dropped waits to be reported."""
        self._running.discard(held)
        if self.find(held.execution) is held:
            self._ended[held.execution] = held

    def forget(self, held: Held) -> None:
        """Hold it no longer; if it runs it keeps its slot until it ends."""
        if self._by_job.get(held.execution.job_id) is held:
            del self._by_job[held.execution.job_id]
        self._ended.pop(held.execution, None)


def extra(assignment: Assignment) -> dict[str, object]:
    """Return what a log line about an execution carries."""
    return {
        "job_id": assignment.execution.job_id,
        "attempt": assignment.execution.attempt,
        "correlation_id": assignment.correlation_id,
    }
