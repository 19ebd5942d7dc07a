"""A store over copies of a Redis, the primary of which is killed, frozen, cut off or restarted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from common.domain.errors import JobNotFound, StoreUnreachable, StoreUnready, TaskQueueError
from common.domain.job import Job
from common.stores.redis import RedisStore
from testbed.errors import TestbedError
from testbed.runs.faults import registry
from testbed.runs.faults.servers.roles import resolved
from tests.support import sentinel
from tests.support.owners import HandClock
from tests.support.sentinel import NAMES, Cluster
from tests.support.stores import Jobs, Queue, Unwatched, settings_of

pytestmark = [pytest.mark.slow, pytest.mark.needs("redis")]

Open = Callable[..., Jobs]


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with sentinel.running() as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Cluster:
    running.make_whole()
    with running.client(running.primary()) as copy:
        copy.flushall()
    return running


@pytest.fixture
async def open_store(cluster: Cluster) -> AsyncIterator[Callable[..., RedisStore]]:
    stores: list[RedisStore] = []

    def open_(**given: Any) -> RedisStore:
        settings = settings_of(**sentinel.settings_of_client(cluster), **given)
        stores.append(RedisStore(settings, HandClock(), Unwatched()))
        return stores[-1]

    yield open_
    for store in stores:
        await store.close()


@pytest.fixture
def open_jobs(open_store: Callable[..., RedisStore]) -> Open:
    return lambda **given: Jobs(open_store(**given), HandClock())


async def at_last(ask: Callable[[], Any]) -> Any:
    """Ask until there is an answer."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await ask()
            except (StoreUnready, StoreUnreachable):
                await asyncio.sleep(0.01)


def hit(cluster: Cluster, kind: str, target: str) -> tuple[str, Callable[[], None]]:
    """Inject a fault; return the process that it hits and what heals it."""
    chosen = registry.get(kind)
    found = resolved(cluster.controls, cluster.topology, chosen.target(cluster.topology, target))
    chosen.inject(cluster.controls, found, chosen.read({}))
    return found.name, lambda: chosen.heal(cluster.controls, found)


@pytest.mark.parametrize("kind", ["kill", "restart", "pause_long"])
async def test_jobs_are_there_still_once_another_copy_has_taken_over(
    cluster: Cluster, open_jobs: Open, kind: str
) -> None:
    """Also those of before and after the fault; the old primary comes back as a replica."""
    jobs = open_jobs(redis_wait=1)
    before = await at_last(jobs.create)
    was, heal = await asyncio.to_thread(hit, cluster, kind, "redis/primary")
    after = await at_last(jobs.create)
    await asyncio.to_thread(heal)
    assert await asyncio.to_thread(cluster.primary, was) != was
    meanwhile = await at_last(jobs.create)
    await asyncio.to_thread(cluster.make_whole)
    expected = [meanwhile.id, after.id, before.id]
    assert await at_last(jobs.page) == sorted(expected, reverse=True)


async def test_who_waits_for_jobs_gets_them_from_the_next_primary(
    cluster: Cluster, open_store: Callable[..., RedisStore]
) -> None:
    queue = Queue(open_store(), HandClock())
    await at_last(lambda: queue.lease(1))
    waiting = asyncio.create_task(at_last(lambda: queue.owner.dequeue(1, max_wait=60)))
    await asyncio.to_thread(hit, cluster, "kill", "redis/primary")
    await at_last(lambda: queue.enqueue("a"))
    dequeued = await asyncio.wait_for(waiting, 30)
    assert [each.execution.job_id for each in dequeued.assignments] == ["a"]


async def test_a_frozen_primary_that_comes_back_is_asked_nothing_more(
    cluster: Cluster, open_jobs: Open
) -> None:
    """It takes itself for the primary for seconds, and whoever asked it had its answers lost."""
    jobs = open_jobs()
    await at_last(jobs.create)
    was, heal = await asyncio.to_thread(hit, cluster, "pause_long", "redis/primary")
    await asyncio.to_thread(cluster.primary, was)
    accepted = await at_last(jobs.create)
    await asyncio.to_thread(heal)
    assert was in await asyncio.to_thread(cluster.primaries)
    for _ in range(20):
        assert await jobs.get(accepted.id) == accepted


def leave_alone(cluster: Cluster) -> str:
    """Kill the replicas, and return the primary."""
    primary = cluster.primary()
    for name in NAMES:
        if name != primary:
            cluster.controls.kill(name)
    return primary


def take_over_from(cluster: Cluster, primary: str) -> str:
    """Kill a primary, and start the replicas; return the one that takes over."""
    cluster.controls.kill(primary)
    for name in NAMES:
        if name != primary:
            cluster.controls.start(name)
    return cluster.primary(primary)


async def test_what_no_replica_has_is_lost_with_the_primary(
    cluster: Cluster, open_jobs: Open
) -> None:
    jobs = open_jobs()
    kept = await at_last(jobs.create)
    primary = await asyncio.to_thread(leave_alone, cluster)
    lost = await jobs.create()
    assert isinstance(lost, Job)
    await asyncio.to_thread(take_over_from, cluster, primary)
    assert await at_last(lambda: jobs.get(kept.id)) == kept
    assert isinstance(await at_last(lambda: jobs.get(lost.id)), JobNotFound)
    # And it does not come back with the old primary.
    await asyncio.to_thread(cluster.make_whole)
    assert await at_last(jobs.page) == [kept.id]


async def test_what_no_replica_acknowledges_is_not_promised(
    cluster: Cluster, open_jobs: Open
) -> None:
    jobs = open_jobs(redis_wait=1)
    kept = await at_last(jobs.create)
    primary = await asyncio.to_thread(leave_alone, cluster)
    for ask in (jobs.create, lambda: jobs.get(kept.id)):
        with pytest.raises(TaskQueueError) as caught:
            await ask()
        # It may have happened: a replica that is back may get it.
        assert (type(caught.value), caught.value.definite) == (StoreUnreachable, False)
    await asyncio.to_thread(take_over_from, cluster, primary)
    assert await at_last(lambda: jobs.get(kept.id)) == kept


async def test_who_only_reads_is_shown_nothing_that_a_replica_has_not(
    cluster: Cluster, open_jobs: Open
) -> None:
    careless, careful = open_jobs(), open_jobs(redis_wait=2)
    await at_last(careful.create)
    await asyncio.to_thread(leave_alone, cluster)
    unsafe = await careless.create()
    with pytest.raises(StoreUnreachable):
        await careful.get(unsafe.id)


async def test_a_primary_without_replicas_accepts_nothing_if_it_has_to_have_some(
    cluster: Cluster, open_jobs: Open
) -> None:
    for name in NAMES:
        with cluster.client(name) as copy:
            copy.config_set("min-replicas-to-write", 1)
    try:
        jobs = open_jobs()
        kept = await at_last(jobs.create)
        await asyncio.to_thread(leave_alone, cluster)

        async def is_refused() -> bool:
            try:
                await jobs.create()
            except StoreUnready as error:
                return "NOREPLICAS" in error.message
            return False

        async with asyncio.timeout(20):
            while not await is_refused():
                pass
        assert await jobs.get(kept.id) == kept  # what reads goes on
    finally:
        await asyncio.to_thread(cluster.make_whole)
        for name in NAMES:
            with cluster.client(name) as copy:
                copy.config_set("min-replicas-to-write", 0)


async def test_without_a_majority_of_sentinels_nobody_is_taken_for_the_primary(
    cluster: Cluster, open_jobs: Open
) -> None:
    for name in sentinel.WATCHING[:2]:
        cluster.controls.kill(name)
    with pytest.raises(StoreUnready, match="1 of its 3 sentinels answer"):
        await open_jobs().create()
    cluster.controls.start(sentinel.WATCHING[0])
    assert isinstance(await at_last(open_jobs().create), Job)


def test_roles_of_a_fault_are_those_of_the_moment(cluster: Cluster) -> None:
    kill = registry.get("kill")

    def of(role: str) -> str:
        target = kill.target(cluster.topology, f"redis/{role}")
        return resolved(cluster.controls, cluster.topology, target).name

    first = cluster.primary()
    assert of("primary") == first
    assert of("replica") in {*NAMES} - {first}
    cluster.controls.kill(first)
    second = of("primary")
    assert second != first
    assert second == cluster.primary()


def test_a_sentinel_is_no_redis_to_faults_of_servers(cluster: Cluster) -> None:
    for name in ("client_kill", "redis_sleep", "maxmemory", "disk_full"):
        kind = registry.get(name)
        assert [each.name for each in kind.targets(cluster.topology)] == [*NAMES]
        with pytest.raises(TestbedError, match="cannot hit 'sentinel-1'"):
            kind.target(cluster.topology, "sentinel-1")
