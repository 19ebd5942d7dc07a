"""What a submit leaves behind that repeats the request id of another one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from common.domain.errors import JobNotFound, StoreUnready
from common.domain.ids import IdMint
from common.domain.job import Job, JobSpec, JobState
from common.ports import NewJob, Submission
from common.stores.postgres import PostgresStore, statements
from common.stores.postgres.submits import columns
from tests.support.owners import Silence
from tests.support.postgres import Database, started, waiting_for

pytestmark = pytest.mark.needs("postgres")

FIRST, REPEAT = (NewJob("noop", "r", b"d", submit) for submit in ("s1", "s2"))


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    with started() as database:
        yield database


@pytest.fixture
async def store(server: Database) -> AsyncIterator[PostgresStore]:
    """A store that is empty, with room for one job in its queue."""
    store = server.open(max_queued_jobs=1)
    await store.refresh()
    async with server.administered() as session:
        await session.execute("TRUNCATE jobs, requests, entries, kinds")
    yield store
    await store.close()


@contextlib.asynccontextmanager
async def no_submit_is_noted(server: Database) -> AsyncIterator[None]:
    """Have each statement fail that notes that a submit relies on the job of another one."""
    async with server.administered() as session:
        await session.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'no submit is noted'; END $$"
        )
        await session.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON jobs FOR EACH ROW "
            "WHEN (NEW.led_to IS NOT NULL) EXECUTE FUNCTION refuse()"
        )
        yield
        await session.execute("DROP FUNCTION refuse CASCADE")


async def test_a_repeat_that_fails_does_not_keep_the_job_from_being_withdrawn(
    server: Database, store: PostgresStore
) -> None:
    jobs = store.jobs(IdMint(0, 1), Silence())
    (job,) = await jobs.create([FIRST])
    assert isinstance(job, Job)
    async with no_submit_is_noted(server):
        with pytest.raises(StoreUnready):
            await jobs.create([REPEAT])
    await jobs.withdraw("s2")
    withdrawn = await jobs.withdraw("s1", job.id)
    assert isinstance(withdrawn, Job)
    assert withdrawn.state is JobState.CANCELED


async def test_nor_does_a_repeat_that_fails_where_the_queue_is_full(
    server: Database, store: PostgresStore
) -> None:
    jobs = store.jobs(IdMint(0, 1), Silence())
    store.queue(Silence())
    store.results()
    shared = store.shared()
    (job,) = await shared.accept([Submission(FIRST, JobSpec("noop"), "")])
    assert isinstance(job, Job)
    async with no_submit_is_noted(server):
        with pytest.raises(StoreUnready):
            await shared.accept([Submission(REPEAT, JobSpec("noop"), "")])
    await jobs.withdraw("s2")
    await jobs.withdraw("s1", job.id)
    assert isinstance((await jobs.get([job.id]))[0], JobNotFound)


async def test_a_job_stays_for_a_repeat_that_came_while_it_was_made(
    server: Database, store: PostgresStore
) -> None:
    jobs, mint = store.jobs(IdMint(0, 1), Silence()), IdMint(0, 2)
    now = store.clock.now()
    made = Job(mint.next(now), "noop", JobState.QUEUED, mint.latest)
    async with server.administered() as session:
        async with session.transaction():
            await session.fetch(statements.CREATE, *columns([FIRST], [made]))
            repeat = asyncio.create_task(jobs.create([REPEAT]))
            async with server.administered() as observer:
                await waiting_for(observer, "Lock")
        assert await repeat == [made]
    await jobs.withdraw("s1", made.id)
    assert await jobs.get([made.id]) == [made]
    await jobs.withdraw("s2", made.id)
    assert isinstance((await jobs.get([made.id]))[0], JobNotFound)
