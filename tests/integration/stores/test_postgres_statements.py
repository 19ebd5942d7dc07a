"""How many statements a job takes where one process has all of it, as a node of Design B."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from common.domain.ids import IdMint
from common.domain.job import JobSpec, JobState
from common.flows.background import Background
from common.flows.coordinator import WorkCoordinator
from common.flows.public import OwnedTaskQueue
from common.handlers import registry
from common.owners.liveness import LivenessOwner
from common.stores.coalesced import CoalescedState
from common.worker.executor import JobExecutor
from common.worker.loop import Worker
from tests.support.owners import HandClock, Silence
from tests.support.postgres import Database, started
from tests.support.stores import Asked
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.needs("postgres")
CALLERS, CALLS, SLOTS = 16, 25, 2


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    with started() as database:
        yield database


async def test_accepts_of_jobs_that_end_at_once_go_along_with_exchanges(server: Database) -> None:
    asked, seen, background, clock = Asked(), Silence(), Background(), HandClock()
    store = server.open(asked)
    await store.refresh()
    jobs, queue, results = store.jobs(IdMint(0, 1), seen), store.queue(Silence()), store.results()
    shared = CoalescedState(store.shared())
    coordinator = WorkCoordinator(
        LivenessOwner(clock, 3.0), jobs, queue, results, 6.0, background, shared
    )
    executor = JobExecutor(registry.load())
    worker = Worker("w", SLOTS, coordinator, executor)
    task_queue = OwnedTaskQueue(jobs, queue, results, background, shared)

    async def submit() -> None:
        for _ in range(CALLS):
            await task_queue.submit(JobSpec("noop"))

    worker.start()
    await asyncio.gather(*(submit() for _ in range(CALLERS)))
    began = Counter(asked.operations)
    ended = (JobState.DONE, JobState.FAILED, JobState.CANCELED)
    await eventually_async(
        lambda: sum(after.state in ended for _, after in seen.steps) == CALLERS * CALLS
    )
    statements = Counter(asked.operations)
    queue.stop_waiting()
    await worker.stop()
    await executor.close()
    await background.drain()
    await store.close()

    assert began["exchange_and_accept"] > began["accept"]
    # Two jobs in each exchange, and hardly anything beside those.
    assert statements.total() < 0.8 * CALLERS * CALLS
