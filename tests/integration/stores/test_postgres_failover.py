"""A store over copies of a PostgreSQL, whose primary is lost: what another one has then."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from common import context
from common.domain.errors import (
    DeadlineAlreadyPast,
    JobNotFound,
    StoreUnreachable,
    StoreUnready,
    TaskQueueError,
)
from common.domain.job import Job
from common.stores.postgres import PostgresStore
from testbed.runs.faults import registry
from testbed.runs.faults.kind import Target
from testbed.runs.faults.servers.roles import resolved
from tests.support import patroni
from tests.support.owners import HandClock
from tests.support.patroni import NAMES, Cluster
from tests.support.stores import Jobs, Unwatched, settings_of

pytestmark = [pytest.mark.slow, pytest.mark.needs("patroni")]

_homes = itertools.count()


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with patroni.running() as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Cluster:
    running.make_whole()
    return running


@pytest.fixture
async def jobs(cluster: Cluster) -> AsyncIterator[Jobs]:
    settings = settings_of(**patroni.settings_of_client(cluster))
    store = PostgresStore(settings, HandClock(), Unwatched())
    # What a test before has left is there still, and the clock begins anew.
    yield Jobs(store, HandClock(), home=next(_homes))
    await store.close()


async def at_last(ask: Callable[[], Any]) -> Any:
    """Ask until there is an answer."""
    async with asyncio.timeout(patroni.WITHIN):
        while True:
            try:
                with context.call(timeout=2):
                    return await ask()
            except (DeadlineAlreadyPast, StoreUnready, StoreUnreachable):
                await asyncio.sleep(0.05)


def lose_the_primary(cluster: Cluster) -> str:
    """Kill whoever is the primary, and name it."""
    kill = registry.get("kill")
    target = kill.target(cluster.topology, "postgres/primary")
    found = resolved(cluster.controls, cluster.topology, target)
    kill.inject(cluster.controls, found, {})
    return found.name


async def accepted_alone(cluster: Cluster, jobs: Jobs) -> Job:
    """Return a job that the primary accepts while its replicas are dead, and then kill it too.

    The replicas are there again afterwards. Raises what the store does for one that is refused.
    """
    primary = await asyncio.to_thread(cluster.primary)
    replicas = [name for name in NAMES if name != primary]
    for name in replicas:
        await asyncio.to_thread(cluster.controls.kill, name)
    try:
        with context.call(timeout=4):
            made: Job = await jobs.create(submit_id=uuid.uuid4().hex)
    finally:
        assert await asyncio.to_thread(lose_the_primary, cluster) == primary
        for name in replicas:
            await asyncio.to_thread(cluster.controls.start, name)
    return made


async def refuses_alone(cluster: Cluster, jobs: Jobs) -> None:
    """See that a primary without replicas acknowledges no job, whoever asks and how often.

    It has written the job down itself, and yet shows it to nobody, also when its submit has been
    given up: else who asks again, or lists, would have it acknowledged after all.
    """
    known = await jobs.page()
    primary = await asyncio.to_thread(cluster.primary)
    replicas = [name for name in NAMES if name != primary]
    for name in replicas:
        await asyncio.to_thread(cluster.controls.pause, name)
    try:
        for _ in range(2):
            with pytest.raises(TaskQueueError) as refused, context.call(timeout=3):
                await jobs.create(request_id="again", digest=b"same")
            assert not refused.value.definite
        assert await jobs.page() == known
    finally:
        for name in replicas:
            await asyncio.to_thread(cluster.controls.resume, name)
    # A replica has it now.
    made = await at_last(lambda: jobs.create(request_id="again", digest=b"same"))
    assert set(await at_last(jobs.page)) == {made.id, *known}
    assert made.id not in known


async def test_asynchronous_copies_keep_what_they_had_and_lose_what_the_primary_alone_had(
    cluster: Cluster, jobs: Jobs
) -> None:
    kept = await at_last(jobs.create)
    was = await asyncio.to_thread(cluster.primary)
    lost = await accepted_alone(cluster, jobs)
    assert await at_last(lambda: jobs.get(kept.id)) == kept
    assert isinstance(await at_last(lambda: jobs.get(lost.id)), JobNotFound)
    assert await asyncio.to_thread(cluster.primary, was) != was
    # It comes back as a replica, without what nobody else has.
    await asyncio.to_thread(cluster.make_whole)
    assert await asyncio.to_thread(cluster.primary) != was
    after = await at_last(jobs.create)
    assert {after.id, kept.id} <= set(await at_last(jobs.page))
    assert lost.id not in await at_last(jobs.page)


async def test_synchronous_copies_lose_nothing_that_was_acknowledged(
    cluster: Cluster, jobs: Jobs
) -> None:
    await asyncio.to_thread(cluster.set, synchronous_mode=True, synchronous_mode_strict=True)
    acknowledged = await at_last(jobs.create)
    was = await asyncio.to_thread(lose_the_primary, cluster)
    assert await at_last(lambda: jobs.get(acknowledged.id)) == acknowledged
    assert await asyncio.to_thread(cluster.primary, was) != was
    await asyncio.to_thread(cluster.make_whole)
    await refuses_alone(cluster, jobs)
    with pytest.raises(TaskQueueError) as refused:
        await accepted_alone(cluster, jobs)
    assert not refused.value.definite
    # No other one is known to have all of it, so this one is waited for.
    await asyncio.to_thread(cluster.make_whole)
    assert await at_last(lambda: jobs.get(acknowledged.id)) == acknowledged


async def test_a_primary_that_stood_still_follows_the_one_that_took_over(
    cluster: Cluster, jobs: Jobs
) -> None:
    await asyncio.to_thread(cluster.set, synchronous_mode=True, synchronous_mode_strict=True)
    before = await at_last(jobs.create)
    was = await asyncio.to_thread(cluster.primary)
    await asyncio.to_thread(cluster.controls.pause, was)
    # A Patroni that watches etcd reads all of this before it reads that there is another primary.
    await asyncio.to_thread(cluster.change_etcd, times=150)
    acknowledged = await at_last(jobs.create)
    await asyncio.to_thread(cluster.controls.resume, was)
    await asyncio.to_thread(cluster.make_whole)
    assert await asyncio.to_thread(cluster.primary) != was
    assert {before.id, acknowledged.id} <= set(await at_last(jobs.page))


def test_a_role_is_resolved_to_the_server_that_has_it(cluster: Cluster) -> None:
    primary = cluster.primary()
    found = resolved(cluster.controls, cluster.topology, Target("postgres/primary", NAMES))
    assert found.affected == (primary,)
