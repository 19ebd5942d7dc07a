"""Accepts that go along with an exchange in PostgreSQL: neither suffers from the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from common.domain.errors import (
    InternalError,
    QueueFull,
    StoreFull,
    StoreUnreachable,
    TaskQueueError,
)
from common.domain.job import Job, JobState
from tests.support.joining import TOGETHER, Node, assert_one_job
from tests.support.postgres import Database, started, until, waiting_for
from tests.support.stores import Asked

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    with started() as database:
        yield database


@pytest.fixture
async def node(server: Database) -> AsyncIterator[Node]:
    async with open_node(server) as node:
        yield node


@contextlib.asynccontextmanager
async def open_node(server: Database, **given: Any) -> AsyncIterator[Node]:
    """Open a node over a database in which some jobs wait."""
    asked = Asked()
    node = Node(server.open(asked, **given), asked)
    await node.store.refresh()
    async with server.administered() as session:
        await session.execute("TRUNCATE jobs, entries, requests, results, members")
    await node.store.refresh()
    await node.fill()
    yield node
    await node.store.close()


@contextlib.asynccontextmanager
async def locked(session: asyncpg.Connection, table: str) -> AsyncIterator[None]:
    """Let nobody write a table meanwhile."""
    transaction = session.transaction()
    await transaction.start()
    await session.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
    yield
    await transaction.rollback()


@contextlib.asynccontextmanager
async def refusing(server: Database, table: str, state: str, what: str) -> AsyncIterator[None]:
    """Have the server refuse such rows of a table meanwhile, with an error of that ``state``."""
    async with server.administered() as session:
        await session.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$BEGIN RAISE 'refused' USING ERRCODE = '{state}'; END$$;"
            f"CREATE TRIGGER refuse AFTER INSERT ON {table} "
            f"FOR EACH ROW WHEN ({what}) EXECUTE FUNCTION refuse()"
        )
        try:
            yield
        finally:
            await session.execute("DROP FUNCTION refuse CASCADE")


async def test_an_accept_waits_for_no_exchange_that_is_not_followed_by_others(
    server: Database, node: Node
) -> None:
    execution = await node.take()
    await node.accept()
    async with server.administered() as session, locked(session, "results"):
        exchanging = asyncio.create_task(node.exchange(execution))
        await waiting_for(session, "Lock")
        assert isinstance(await node.accept(), Job)
        assert not exchanging.done()
    await exchanging


async def test_an_accept_does_not_wait_for_an_exchange_that_meets_a_lock(
    server: Database, node: Node
) -> None:
    first = await node.take()
    async with server.administered() as session:
        # The next exchange is sent at once, so an accept would wait for the one after it.
        second = await node.take(first)
        async with locked(session, "results"):
            exchanging = asyncio.create_task(node.exchange(second))
            accepting = asyncio.create_task(node.accept())
            assert isinstance(await accepting, Job)
            assert not exchanging.done()
    await exchanging


async def test_a_queue_that_is_full_takes_no_report_along(server: Database) -> None:
    async with open_node(server, max_queued_jobs=3) as node:
        execution, accepting = await node.waiting_accept()
        await node.exchange(execution)
        assert isinstance(await accepting, QueueFull)
        assert await node.state_of(execution.job_id) is JobState.DONE


@pytest.mark.parametrize(("state", "error"), [("53100", StoreFull), ("23505", InternalError)])
async def test_what_the_server_refuses_to_an_accept_takes_no_report_along(
    server: Database, node: Node, state: str, error: type[TaskQueueError]
) -> None:
    async with refusing(server, "requests", state, "NEW.request_id = 'r'"):
        execution, accepting = await node.waiting_accept(request_id="r")
        await node.exchange(execution)
        with pytest.raises(error):
            await accepting
    assert TOGETHER in node.asked.operations
    assert await node.state_of(execution.job_id) is JobState.DONE


async def test_what_the_server_refuses_to_a_report_takes_no_accept_along(
    server: Database, node: Node
) -> None:
    async with refusing(server, "results", "53100", "NEW.output = 'large'"):
        execution, accepting = await node.waiting_accept()
        with pytest.raises(StoreFull):
            await node.exchange(execution, output=b"large")
        job = await accepting
    assert TOGETHER in node.asked.operations
    assert await node.state_of(job.id) is JobState.QUEUED


@pytest.mark.parametrize("by", ["the server", "whoever exchanges"])
async def test_a_joined_statement_whose_end_is_unknown_is_that_to_both_and_makes_one_job(
    server: Database, node: Node, by: str
) -> None:
    async with server.administered() as session, locked(session, "requests"):
        execution, accepting = await node.waiting_accept(request_id="r", submit_id="s")
        exchanging = asyncio.create_task(node.exchange(execution))
        number = await waiting_for(session, "Lock")
        if by == "the server":
            await session.execute("SELECT pg_terminate_backend($1, 5000)", number)
            with pytest.raises(StoreUnreachable) as caught:
                await exchanging
            assert not caught.value.definite
        else:
            exchanging.cancel()
            with pytest.raises(asyncio.CancelledError):
                await exchanging
        with pytest.raises(StoreUnreachable) as caught:
            await accepting
        assert not caught.value.definite
    async with server.administered() as session:
        # What goes on without anybody who waits for it has ended as well.
        await until(lambda: is_at_rest(session))
    await assert_one_job(node, "r", "s")
    await node.exchange(execution)
    assert await node.state_of(execution.job_id) is JobState.DONE


async def is_at_rest(session: asyncpg.Connection) -> bool:
    """Return whether no session of the store's does anything."""
    active = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'store' AND state = 'active'"
    return await session.fetchval(active) == 0
