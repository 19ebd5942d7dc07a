"""What Redis has answered is there after its process was killed, at every level of safety."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from common.config import FSYNC_LEVELS
from common.domain.errors import TaskQueueError
from common.domain.job import Execution, Job, JobSpec, JobState
from common.ports import NewEntry, NewJob, Transition
from common.stores.redis import RedisStore
from tests.integration.stores.conftest import Server
from tests.support.owners import HandClock
from tests.support.stores import Jobs, Queue, Unwatched, settings_of
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.needs("redis")

ANSWERED = 300
"""Jobs at least whose every step was answered when the process is killed."""


class Client:
    """Moves jobs through a store and remembers what it was answered last of each."""

    def __init__(self, store: RedisStore, clock: HandClock) -> None:
        self.jobs, self.queue, self.results = (
            Jobs(store, clock),
            Queue(store, clock),
            store.results(),
        )
        self.answered: dict[str, Job] = {}
        self.enqueued: set[str] = set()
        self.stored: set[Execution] = set()

    async def run(self) -> None:
        """Move one job after the other, until the store fails."""
        while True:
            (job,) = await self.jobs.owner.create([NewJob("noop")])
            assert isinstance(job, Job)
            self.answered[job.id] = job
            execution = Execution(job.id, 1)
            await self.queue.owner.enqueue([NewEntry(job.id, JobSpec("noop"))])
            self.enqueued.add(job.id)
            await self.results.store([(execution, job.id.encode())])
            self.stored.add(execution)
            for state in (JobState.RUNNING, JobState.DONE):
                step = Transition(execution, state)
                (after,) = await self.jobs.owner.transition([step])
                assert isinstance(after, Job)
                self.answered[job.id] = after


@pytest.mark.parametrize("fsync", FSYNC_LEVELS)
async def test_what_was_answered_survives_a_kill(tmp_path: Path, fsync: str) -> None:
    server, clock = Server(tmp_path), HandClock()
    server.start(fsync)
    peers = {"redis": server.address}
    store = RedisStore(settings_of(store="redis", peers=peers), clock, Unwatched())
    try:
        client = Client(store, clock)
        running = [asyncio.create_task(client.run()) for _ in range(8)]
        await eventually_async(lambda: len(client.answered) >= ANSWERED)
        server.kill()
        for ended in await asyncio.gather(*running, return_exceptions=True):
            assert isinstance(ended, TaskQueueError)
        server.start(fsync)
        await _check(client)
    finally:
        await store.close()
        server.stop()


async def _check(client: Client) -> None:
    found = await client.jobs.owner.get(list(client.answered))
    for known, job in zip(client.answered.values(), found, strict=True):
        assert isinstance(job, Job)
        assert job.state >= known.state  # a step may have been taken whose answer was lost
        assert not known.state.terminal or job == known
    assert all(await client.queue.owner.remove(list(client.enqueued)))
    outputs = await client.results.get(list(client.stored))
    assert outputs == [execution.job_id.encode() for execution in client.stored]
