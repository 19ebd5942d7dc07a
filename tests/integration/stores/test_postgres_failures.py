"""What callers are told when PostgreSQL fails them: whether nothing happened, or may have."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence

import asyncpg
import pytest

from common import context
from common.domain.errors import (
    DeadlineAlreadyPast,
    RequestIdReused,
    StoreFull,
    StoreUnreachable,
    StoreUnready,
    TaskQueueError,
)
from common.domain.ids import IdMint
from common.domain.job import Job
from common.ports import NewJob
from common.stores.postgres import connection
from common.stores.postgres.connection import CONNECTIONS
from tests.support.owners import Silence
from tests.support.postgres import Database, started, times_out, until, waiting_for
from tests.support.services import open_folder

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    with started() as database:
        yield database


class Creator:
    """A process that creates jobs in the store."""

    def __init__(self, server: Database, number: int = 1) -> None:
        self.store = server.open()
        self.owner = self.store.jobs(IdMint(0, number), Silence())

    async def create(self, request: str = "") -> Job:
        (answer,) = await self.owner.create([NewJob("noop", request, b"d")])
        assert isinstance(answer, Job)
        return answer

    async def has(self, requests: Sequence[str]) -> list[bool]:
        """Return which requests have made a job, by using their ids for another one."""
        answers = await self.owner.create([NewJob("noop", each, b"other") for each in requests])
        return [isinstance(answer, RequestIdReused) for answer in answers]


@pytest.fixture
async def creator(server: Database) -> AsyncIterator[Creator]:
    creator = Creator(server)
    await creator.create()
    yield creator
    await creator.store.close()


async def commits_wait(server: Database) -> None:
    """Return once a commit waits for a replica: that begins some time after it was set."""
    async with asyncio.timeout(20), server.administered() as session:
        await session.execute("SET synchronous_commit = off; CREATE TABLE IF NOT EXISTS probed ()")
        await session.execute("SET synchronous_commit = on")
        while True:
            commit = asyncio.ensure_future(session.execute("INSERT INTO probed DEFAULT VALUES"))
            done, _ = await asyncio.wait([commit], timeout=0.5)
            if not done:
                session.terminate()
                await asyncio.wait([commit])
                return
            commit.result()


@contextlib.asynccontextmanager
async def locked(session: asyncpg.Connection) -> AsyncIterator[None]:
    """Let nobody write jobs, so that a statement is under way for as long as is wanted."""
    transaction = session.transaction()
    await transaction.start()
    await session.execute("LOCK TABLE jobs IN EXCLUSIVE MODE")
    yield
    with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
        await transaction.rollback()


async def works_again(creator: Creator) -> None:
    async def works() -> bool:
        try:
            await creator.create()
        except StoreUnready:
            return False
        return True

    await until(works)


async def test_a_server_that_is_not_there_is_definite_until_it_is() -> None:
    with open_folder() as folder:
        database = Database(folder)
        creator = Creator(database)
        with pytest.raises(StoreUnready):
            await creator.create()
        database.start()
        await creator.create()
        await creator.store.close()
        database.stop()


async def test_a_call_under_way_at_a_kill_is_indefinite_and_those_after_it_are_not(
    server: Database, creator: Creator
) -> None:
    async with server.administered() as session, locked(session):
        under_way = asyncio.create_task(creator.create())
        await waiting_for(session, "Lock")
        server.kill()
    with pytest.raises(StoreUnreachable) as caught:
        await under_way
    assert not caught.value.definite
    for _ in range(3):
        with pytest.raises(StoreUnready):
            await creator.create()
    server.start()
    await creator.create()


async def test_only_the_call_on_a_terminated_session_fails(
    server: Database, creator: Creator
) -> None:
    async with server.administered() as session:
        async with locked(session):
            under_way = asyncio.create_task(creator.create())
            number = await waiting_for(session, "Lock")
            await session.execute("SELECT pg_terminate_backend($1, 5000)", number)
            with pytest.raises(StoreUnreachable):
                await under_way
        await asyncio.gather(*(creator.create() for _ in range(3 * CONNECTIONS)))
        # Also those that nobody uses at the moment are replaced, without a failure.
        await session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'store'"
        )
        await asyncio.gather(*(creator.create() for _ in range(3 * CONNECTIONS)))
        number = await session.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'store'"
        )
    assert number <= CONNECTIONS


async def test_a_paused_server_keeps_callers_no_longer_than_they_have_time(
    server: Database, creator: Creator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who has all the time that there is would wait for longer than this test does.
    monkeypatch.setattr(connection, "SECONDS", 600.0)
    async with asyncio.timeout(60):
        with server.paused():
            assert isinstance(await times_out(creator.create), StoreUnreachable)
            # Now there is no connection, for that call took it along.
            assert isinstance(await times_out(creator.create), StoreUnready)
    await works_again(creator)


async def test_who_has_no_time_left_asks_nothing(creator: Creator) -> None:
    with context.call(timeout=-1), pytest.raises(DeadlineAlreadyPast):
        await creator.create()
    await creator.create()


async def test_a_caller_that_leaves_takes_no_connection_along(
    server: Database, creator: Creator
) -> None:
    async with server.administered() as session, locked(session):
        for _ in range(2 * CONNECTIONS):
            leaving = asyncio.create_task(creator.create())
            await waiting_for(session, "Lock")
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(leaving, 10)
    await asyncio.gather(*(creator.create() for _ in range(2 * CONNECTIONS)))


async def test_no_connection_to_be_had_is_definite(server: Database) -> None:
    taken: list[asyncpg.Connection] = []
    creator = Creator(server)
    try:
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(await asyncpg.connect(f"postgresql://store@{server.address}/store"))
        with pytest.raises(StoreUnready):
            await creator.create()
    finally:
        for connection in taken:
            await connection.close()
    await works_again(creator)
    await creator.store.close()


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("53100", StoreFull),
        ("55P03", StoreUnready),
        ("57014", StoreUnready),
        ("40001", StoreUnready),
    ],
)
async def test_a_statement_that_the_server_refuses_did_not_happen(
    server: Database, creator: Creator, state: str, error: type[TaskQueueError]
) -> None:
    async with server.administered() as session:
        await session.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$BEGIN RAISE 'refused' USING ERRCODE = '{state}'; END$$;"
            "CREATE TRIGGER refuse AFTER INSERT ON jobs EXECUTE FUNCTION refuse()"
        )
        try:
            with pytest.raises(error) as caught:
                await creator.create("refused")
        finally:
            await session.execute("DROP FUNCTION refuse CASCADE")
    assert caught.value.definite
    assert await creator.has(["refused"]) == [False]


async def test_a_database_that_is_read_only_is_definite(server: Database, creator: Creator) -> None:
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'store'"
    async with server.administered() as session:
        await session.execute("ALTER DATABASE store SET default_transaction_read_only = on")
        await session.execute(ended)
        try:
            with pytest.raises(StoreUnready):
                await creator.create()
        finally:
            await session.execute("SET default_transaction_read_only = off")
            await session.execute("ALTER DATABASE store RESET default_transaction_read_only")
        await session.execute(ended)
    await creator.create()


async def test_a_commit_whose_answer_is_lost_may_have_come(
    server: Database, creator: Creator
) -> None:
    """A commit that waits for a replica that is not there has come already."""
    async with server.administered() as session:
        await session.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        await session.execute("SELECT pg_reload_conf()")
        try:
            await commits_wait(server)
            with context.call(timeout=3):
                late = asyncio.create_task(creator.create("late"))
                cut = asyncio.create_task(creator.create("cut"))
            number = await waiting_for(session, "SyncRep")
            await session.execute("SELECT pg_terminate_backend($1)", number)
            for call in (late, cut):
                with pytest.raises(StoreUnreachable):
                    await call
        finally:
            await session.execute("ALTER SYSTEM RESET synchronous_standby_names")
            await session.execute("SELECT pg_reload_conf()")
    assert await creator.has(["late", "cut"]) == [True, True]


async def test_a_cancellation_comes_before_the_commit_or_not_at_all(
    server: Database, creator: Creator
) -> None:
    """So what the server calls canceled did not happen, at whatever moment that came."""
    canceled: list[str] = []
    done: list[str] = []

    async def cancel_again_and_again(session: asyncpg.Connection) -> None:
        while len(canceled) < 20 or len(done) < 20:
            await session.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'store' AND state = 'active'"
            )

    async with server.administered() as session:
        canceling = asyncio.create_task(cancel_again_and_again(session))
        for number in range(5000):
            request = f"c{number}"
            try:
                await creator.create(request)
                done.append(request)
            except StoreUnready:
                canceled.append(request)
            if canceling.done():
                break
        async with asyncio.timeout(20):
            await canceling
    assert not any(await creator.has(canceled))
    assert all(await creator.has(done))


async def test_no_answered_job_is_lost_when_every_process_of_the_server_is_killed(
    server: Database,
) -> None:
    for turn in range(2):
        creators = [Creator(server, number) for number in range(3)]
        answered: list[str] = []

        async def create_until_it_fails(creator: Creator, answered: list[str] = answered) -> None:
            with contextlib.suppress(StoreUnreachable, StoreUnready):
                while True:
                    answered.append((await creator.create()).id)

        work = [asyncio.create_task(create_until_it_fails(each)) for each in creators for _ in "ab"]

        async def enough(answered: list[str] = answered, turn: int = turn) -> bool:
            return len(answered) > 100 + 50 * turn

        await until(enough)
        await asyncio.to_thread(server.kill)
        await asyncio.gather(*work)
        await asyncio.to_thread(server.start)
        found = await creators[0].owner.get(answered)
        assert [job.id for job in found if isinstance(job, Job)] == answered
        for creator in creators:
            await creator.store.close()


async def test_a_server_that_takes_over_without_the_tables_gets_them(
    server: Database, creator: Creator
) -> None:
    await creator.create("r")
    async with server.administered() as session:
        await session.execute("DROP SCHEMA public CASCADE")
        await session.execute("CREATE SCHEMA public AUTHORIZATION store")
    await creator.create("s")
    assert await creator.has(["r", "s"]) == [False, True]
