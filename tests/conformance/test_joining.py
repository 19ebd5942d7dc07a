"""Accepts that go along with an exchange, and what comes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from common.domain.errors import RequestIdReused, SubmitWithdrawn
from common.domain.job import Job, JobState
from common.domain.paging import JobQuery
from common.stores.store import Store
from tests.conformance.conftest import REMOTE
from tests.support.joining import JOBS, TOGETHER, Node
from tests.support.stores import Asked

pytestmark = pytest.mark.parametrize("opened", REMOTE, indirect=True)


@pytest.fixture
async def node(open_store: Callable[..., Store], asked: Asked) -> Node:
    """A node over a store in which some jobs wait."""
    node = Node(open_store(), asked)
    await node.store.refresh()
    await node.fill()
    return node


async def test_an_accept_goes_along_with_the_exchange_that_comes_next(node: Node) -> None:
    execution, accepting = await node.waiting_accept()
    exchanged = await node.exchange(execution)
    job = await accepting
    assert TOGETHER in node.asked.operations
    assert await node.state_of(execution.job_id) is JobState.DONE
    assert await node.state_of(job.id) is JobState.QUEUED
    # It comes behind those that were there before, and in none of them.
    taken = [each.execution for each in exchanged.leased]
    while taken[-1].job_id != job.id:
        taken.append(await node.take(taken[-1]))
    assert len(taken) == len(set(taken)) == 3


async def test_an_accept_goes_alone_if_no_exchange_follows(node: Node) -> None:
    _, accepting = await node.waiting_accept()
    assert isinstance(await accepting, Job)
    assert node.asked.operations[-1] == "accept"
    assert TOGETHER not in node.asked.operations


async def test_what_is_refused_to_an_accept_takes_no_report_along(node: Node) -> None:
    await node.accept("r", digest=b"d", submit_id="s1")
    execution, accepting = await node.waiting_accept(
        request_id="r", digest=b"other", submit_id="s2"
    )
    await node.exchange(execution)
    assert isinstance(await accepting, RequestIdReused)
    assert TOGETHER in node.asked.operations
    assert await node.state_of(execution.job_id) is JobState.DONE
    assert await node.results.get([execution]) == [b"out"]


async def test_a_submit_that_was_withdrawn_takes_no_report_along(node: Node) -> None:
    await node.jobs.withdraw("s")
    execution, accepting = await node.waiting_accept(submit_id="s")
    await node.exchange(execution)
    assert isinstance(await accepting, SubmitWithdrawn)
    assert TOGETHER in node.asked.operations
    assert await node.state_of(execution.job_id) is JobState.DONE


async def test_an_accept_that_nobody_waits_for_is_not_sent(node: Node) -> None:
    execution, accepting = await node.waiting_accept(submit_id="s")
    accepting.cancel()
    await node.exchange(execution)
    with pytest.raises(asyncio.CancelledError):
        await accepting
    assert TOGETHER not in node.asked.operations
    assert len(await node.jobs.page(JobQuery(limit=100))) == JOBS
