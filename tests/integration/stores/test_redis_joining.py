"""Accepts that go along with an exchange in Redis: neither suffers from the other."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import pytest

from common.domain.errors import QueueFull, StoreFull, StoreUnreachable
from common.domain.job import JobState
from common.domain.paging import JobQuery
from common.stores.redis import RedisStore
from tests.integration.stores.conftest import Server
from tests.support.joining import JOBS, TOGETHER, Node, assert_one_job
from tests.support.owners import HandClock
from tests.support.stores import Asked

pytestmark = pytest.mark.needs("redis")
OpenStore = Callable[..., RedisStore]


@pytest.fixture
async def node(open_store: OpenStore, trips: Asked) -> Node:
    """A process that has a store in which some jobs wait."""
    node = Node(open_store(HandClock()), trips)
    await node.fill()
    return node


async def test_a_redis_that_is_full_refuses_an_accept_and_takes_the_report(
    server: Server, node: Node
) -> None:
    server.ask("CONFIG", "SET", "maxmemory", "1")
    execution, accepting = await node.waiting_accept()
    await node.exchange(execution)
    with pytest.raises(StoreFull):
        await accepting
    assert TOGETHER in node.asked.operations
    assert await node.state_of(execution.job_id) is JobState.DONE
    assert len(await node.jobs.page(JobQuery(limit=100))) == JOBS


async def test_a_queue_that_is_full_refuses_an_accept_and_gives_jobs(
    open_store: OpenStore, trips: Asked
) -> None:
    node = Node(open_store(HandClock(), max_queued_jobs=JOBS - 1), trips)
    await node.fill()
    first = await node.take()
    taking = asyncio.create_task(node.take())
    accepting = asyncio.create_task(node.accept())
    second = await taking
    third = await node.take()
    assert isinstance(await accepting, QueueFull)
    assert TOGETHER in node.asked.operations
    await node.exchange(first, second, third)
    assert await node.state_of(third.job_id) is JobState.DONE


@pytest.mark.parametrize("by", ["the server", "whoever exchanges"])
async def test_a_joined_script_whose_end_is_unknown_is_that_to_both_and_makes_one_job(
    server: Server, node: Node, by: str
) -> None:
    execution, accepting = await node.waiting_accept(request_id="r", submit_id="s")
    server.send(signal.SIGSTOP)
    exchanging = asyncio.create_task(node.exchange(execution))
    await asyncio.sleep(0)
    if by == "the server":
        server.kill()
        with pytest.raises(StoreUnreachable) as caught:
            await exchanging
        assert not caught.value.definite
        server.start()
    else:
        exchanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exchanging
        server.send(signal.SIGCONT)
    with pytest.raises(StoreUnreachable) as caught:
        await accepting
    assert not caught.value.definite
    await assert_one_job(node, "r", "s")
    await node.exchange(execution)
    assert await node.state_of(execution.job_id) is JobState.DONE
