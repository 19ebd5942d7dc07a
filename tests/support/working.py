"""A worker between a coordinator and an executor that do what a test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from common import context
from common.domain.errors import OwnerUnreachable, TaskQueueError
from common.domain.job import Assignment, Execution, JobState, Outcome
from common.ports import HeartbeatReply, ReportReply
from common.worker.loop import Worker

# Seconds after which a condition does not come, and after which a test has failed.
CONDITION, BOUND = 20.0, 60.0
DONE = Outcome(JobState.DONE, b"output")


class Observed:
    """Wakes those that wait for a condition whenever something happens."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()

    async def note(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(CONDITION), self._changed:
            await self._changed.wait_for(condition)


class FakeCoordinator(Observed):
    """Hands out what a test puts in, and records what is reported to it."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Assignment] = []
        self.fetches: list[int] = []
        self.heartbeats: list[list[Execution]] = []
        self.outcomes: dict[Execution, Outcome] = {}
        self.batches: list[int] = []
        self.asked_with_reports: list[int] = []
        self.with_reports = 0
        self.returned: list[Execution] = []
        self.cancel: list[Execution] = []
        self.drop: list[Execution] = []
        self.verdict: TaskQueueError | None = None
        self.unreachable: set[str] = set()
        self.failed_calls: list[str] = []
        self.remaining: dict[str, float] = {}
        self.empty_answers = False

    async def give(self, *assignments: Assignment) -> None:
        self.waiting.extend(assignments)
        await self.note()

    async def reach(self) -> None:
        self.unreachable.clear()
        await self.note()

    async def _enter(self, call: str) -> None:
        assert context.correlation_id()
        self.remaining[call] = context.remaining(float("inf"))
        if call in self.unreachable:
            self.failed_calls.append(call)
            await self.note()
            raise OwnerUnreachable("coordinator", "a test says so")

    async def heartbeat(self, worker, slots, held) -> HeartbeatReply:
        await self._enter("heartbeat")
        self.heartbeats.append(list(held))
        await self.note()
        return HeartbeatReply(
            [each for each in self.cancel if each in held],
            [each for each in self.drop if each in held],
        )

    async def fetch(self, worker, slots, max_jobs, max_wait) -> list[Assignment]:
        await self._enter("fetch")
        self.fetches.append(max_jobs)
        await self.note()
        if not self.empty_answers:
            await self.until(lambda: self.waiting)
        taken, self.waiting = self.waiting[:max_jobs], self.waiting[max_jobs:]
        return taken

    async def report(self, worker, reports, returned=(), slots=0, max_jobs=0) -> ReportReply:
        await self._enter("report")
        for execution, outcome in reports:
            self.outcomes.setdefault(execution, outcome)
        self.batches.append(len(reports))
        self.returned.extend(returned)
        self.asked_with_reports.append(max_jobs)
        with_the_answer = min(max_jobs, self.with_reports)
        taken, self.waiting = self.waiting[:with_the_answer], self.waiting[with_the_answer:]
        await self.note()
        return ReportReply([self.verdict for _ in reports], taken)


class FakeExecutor(Observed):
    """Runs executions that end when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[Execution, asyncio.Future[Outcome]] = {}
        self.started: list[Execution] = []
        self.stopped: list[Execution] = []
        self.correlations: list[str] = []

    async def run(self, assignment: Assignment) -> Outcome:
        execution = assignment.execution
        self.correlations.append(context.correlation_id())
        self.started.append(execution)
        self.running[execution] = asyncio.get_running_loop().create_future()
        await self.note()
        try:
            return await self.running[execution]
        except asyncio.CancelledError:
            self.stopped.append(execution)
            raise
        finally:
            del self.running[execution]
            await self.note()

    def end(self, execution: Execution, outcome: Outcome = DONE) -> None:
        self.running[execution].set_result(outcome)


@pytest.fixture
def coordinator() -> FakeCoordinator:
    return FakeCoordinator()


@pytest.fixture
def executor() -> FakeExecutor:
    return FakeExecutor()


@pytest.fixture
def working(coordinator, executor):
    """Runs a worker around a block."""

    @contextlib.asynccontextmanager
    async def run(slots=2, runs=executor, **settings):
        given = {"heartbeat_interval": 0.02, "long_poll": 20.0, "stop_grace": 20.0, **settings}
        worker = Worker("w", slots, coordinator, runs, **given)
        worker.start()
        try:
            async with asyncio.timeout(BOUND):
                yield worker
        finally:
            for future in list(executor.running.values()):
                if not future.done():
                    future.cancel()
            await worker.stop()

    return run
