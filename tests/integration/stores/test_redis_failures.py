"""What a caller meets when Redis is paused, killed, full or refuses; nothing else ever happens."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Any

import pytest

from common import context
from common.domain.errors import StoreFull, StoreUnreachable, StoreUnready, TaskQueueError
from common.domain.job import Execution, Job, JobSpec, JobState
from common.domain.paging import JobQuery
from common.ports import NewEntry, NewJob, Transition
from common.stores.redis import RedisStore, bell
from tests.integration.stores.conftest import Server
from tests.support.owners import HandClock
from tests.support.stores import Asked, Jobs, Queue
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.needs("redis")

OpenStore = Callable[..., RedisStore]
SOON = 0.3
"""Seconds that a caller has whose call is not answered."""


@pytest.fixture
def jobs(open_store: OpenStore) -> Jobs:
    clock = HandClock()
    return Jobs(open_store(clock), clock)


async def failure_of(asked: Any) -> TaskQueueError:
    """Return the error with which a call ends."""
    with pytest.raises(TaskQueueError) as caught:
        await asked
    return caught.value


async def at_last(ask: Callable[[], Any]) -> Any:
    """Ask until there is an answer: the end of a connection is noticed by who uses it."""
    while True:
        try:
            return await ask()
        except (StoreUnready, StoreUnreachable):
            await asyncio.sleep(0.01)


async def begun(asked: Any) -> asyncio.Task[Any]:
    """Return a call that has been sent: what needs no answer takes one turn of the event loop."""
    task: asyncio.Task[Any] = asyncio.ensure_future(asked)
    await asyncio.sleep(0)
    return task


async def test_without_a_redis_nothing_has_happened(server: Server, jobs: Jobs) -> None:
    server.kill()
    error = await failure_of(jobs.create())
    assert (type(error), error.definite) == (StoreUnready, True)


async def test_a_call_that_was_sent_to_a_redis_that_dies_may_have_happened(
    server: Server, jobs: Jobs
) -> None:
    await jobs.create()
    server.send(signal.SIGSTOP)
    under_way = await begun(jobs.create())
    server.kill()
    error = await failure_of(under_way)
    assert (type(error), error.definite) == (StoreUnreachable, False)


async def test_a_store_goes_on_by_itself_once_redis_is_back(server: Server, jobs: Jobs) -> None:
    before = await jobs.create()
    server.kill()
    server.start()
    after = await at_last(jobs.create)
    assert await jobs.page() == [after.id, before.id]


async def test_the_caller_waits_no_longer_than_it_has_time(server: Server, jobs: Jobs) -> None:
    await jobs.create()
    server.send(signal.SIGSTOP)
    with context.call(timeout=SOON):
        error = await failure_of(jobs.create())
    assert (type(error), error.definite) == (StoreUnreachable, False)
    server.send(signal.SIGCONT)


async def test_a_paused_redis_that_was_not_connected_to_is_sent_nothing(
    server: Server, jobs: Jobs
) -> None:
    server.send(signal.SIGSTOP)
    with context.call(timeout=SOON):
        error = await failure_of(jobs.create())
    assert (type(error), error.definite) == (StoreUnready, True)
    server.send(signal.SIGCONT)
    assert await jobs.page() == []


async def test_a_caller_whose_time_is_over_sends_nothing(jobs: Jobs, trips: Asked) -> None:
    with context.call(timeout=0):
        error = await failure_of(jobs.create())
    assert error.definite
    assert trips.operations == []


@pytest.mark.parametrize("leaves", ["canceled", "timed out"])
async def test_nobody_gets_the_answer_to_a_call_of_somebody_who_has_left(
    server: Server, jobs: Jobs, leaves: str
) -> None:
    first, second = await jobs.create("noop"), await jobs.create("sleep")
    server.send(signal.SIGSTOP)
    with context.call(timeout=60.0 if leaves == "canceled" else SOON):
        left = await begun(jobs.get(first.id))
    if leaves == "canceled":
        left.cancel()
    await asyncio.wait({left})
    asked = [asyncio.ensure_future(jobs.get(job.id)) for job in (second, first, second)]
    server.send(signal.SIGCONT)
    assert await asyncio.gather(*asked) == [second, first, second]


async def test_a_connection_that_redis_ends_is_replaced(server: Server, jobs: Jobs) -> None:
    job = await jobs.create()
    server.ask("CLIENT", "KILL", "TYPE", "normal")

    assert await at_last(lambda: jobs.get(job.id)) == job


async def test_who_waits_for_jobs_gets_them_from_a_redis_that_was_restarted(
    server: Server, open_store: OpenStore
) -> None:
    clock = HandClock()
    queue = Queue(open_store(clock), clock)
    await queue.lease(1)

    waiting = asyncio.create_task(at_last(lambda: queue.owner.dequeue(1, max_wait=60)))
    await asyncio.sleep(0)
    server.kill()
    server.start()
    await at_last(lambda: queue.enqueue("a"))
    dequeued = await asyncio.wait_for(waiting, 20)
    assert [each.execution.job_id for each in dequeued.assignments] == ["a"]


async def test_who_waits_is_woken_after_the_first_who_waited_has_run_out_of_time(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "LONGEST_WAIT", 1.5 * SOON)
    clock = HandClock()
    queue = Queue(open_store(clock), clock)
    with context.call(timeout=SOON):
        first = asyncio.create_task(queue.owner.dequeue(1, max_wait=SOON / 2))
    waiting = asyncio.create_task(queue.owner.dequeue(1, max_wait=60))
    assert (await first).assignments == []
    monkeypatch.setattr(bell, "LONGEST_WAIT", 60.0)  # from now on nobody looks by himself
    await asyncio.sleep(2 * SOON)
    await queue.enqueue("a")
    dequeued = await asyncio.wait_for(waiting, 5)
    assert [each.execution.job_id for each in dequeued.assignments] == ["a"]


async def test_jobs_of_a_caller_that_leaves_are_in_line_again(
    server: Server, open_store: OpenStore
) -> None:
    clock = HandClock()
    queue = Queue(open_store(clock), clock)
    await queue.enqueue("a", "b")
    server.send(signal.SIGSTOP)
    with context.call(timeout=SOON):
        left = await begun(queue.owner.dequeue(2))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait({left})
    server.send(signal.SIGCONT)
    waiting = [await queue.owner.dequeue(1, max_wait=60) for _ in range(2)]
    taken = [each.execution for each in (*waiting[0].assignments, *waiting[1].assignments)]
    # The second attempt, for the first was his.
    assert taken == [Execution("a", 2), Execution("b", 2)]


REFUSALS = {
    "READONLY": ("REPLICAOF", "127.0.0.1", "1"),
    "NOREPLICAS": ("CONFIG", "SET", "min-replicas-to-write", "1"),
}


@pytest.mark.parametrize("word", REFUSALS)
async def test_what_redis_refuses_has_not_happened(server: Server, jobs: Jobs, word: str) -> None:
    job = await jobs.create()
    server.ask(*REFUSALS[word])
    error = await failure_of(jobs.create())
    assert (type(error), error.definite) == (StoreUnready, True)
    assert word in error.message
    assert await jobs.page() == [job.id]  # what reads goes on


@pytest.mark.parametrize("setting", [("maxclients", "1"), ("requirepass", "secret")])
async def test_a_redis_that_lets_nobody_in_was_sent_nothing(
    server: Server, open_store: OpenStore, setting: tuple[str, str]
) -> None:
    clock = HandClock()
    first, second = (Jobs(open_store(clock), clock) for _ in range(2))
    job = await first.create()  # the only one whom it let in
    server.ask("CONFIG", "SET", *setting)
    error = await failure_of(second.create())
    assert (type(error), error.definite) == (StoreUnready, True)
    assert await first.page() == [job.id]


async def test_a_redis_that_runs_the_script_of_somebody_else_refuses(
    server: Server, jobs: Jobs
) -> None:
    await jobs.create()
    server.ask("CONFIG", "SET", "busy-reply-threshold", "10")
    endless = await asyncio.create_subprocess_exec(
        *("redis-cli", "-p", str(server.port), "EVAL", "while true do end", "0"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    await eventually_async(lambda: "BUSY" in server.ask("GET", "x"))
    error = await failure_of(jobs.create())
    assert (type(error), error.definite) == (StoreUnready, True)
    server.ask("SCRIPT", "KILL")
    await endless.wait()
    assert isinstance(await jobs.create(), Job)


async def test_a_full_redis_begins_nothing_and_ends_what_there_is(
    server: Server, open_store: OpenStore
) -> None:
    clock = HandClock()
    store = open_store(clock)
    jobs, queue = Jobs(store, clock), Queue(store, clock)
    job = await jobs.create()
    await queue.enqueue("a")
    server.ask("CONFIG", "SET", "maxmemory", "1")
    for asked in (
        jobs.create(),
        queue.owner.enqueue([NewEntry("b", JobSpec("noop"))]),
        store.results().store([(Execution("a", 1), b"x")]),
    ):
        error = await failure_of(asked)
        assert (type(error), error.definite) == (StoreFull, True)
    assert await jobs.page() == [job.id]
    assert await queue.lease(5) == [Execution("a", 1)]
    await jobs.step(job, JobState.RUNNING)
    assert (await jobs.step(job, JobState.DONE)).state is JobState.DONE
    assert await queue.owner.remove(["a"]) == [True]
    server.ask("CONFIG", "SET", "maxmemory", "0")
    assert isinstance(await jobs.create(), Job)


async def test_a_script_that_meets_the_limit_of_memory_is_done_whole_or_not_at_all(
    server: Server, jobs: Jobs
) -> None:
    """It is met in the midst of the last batch that is made, and by the one after that."""
    await jobs.create()
    used = int(server.ask("INFO", "memory").split("used_memory:")[1].split()[0])
    server.ask("CONFIG", "SET", "maxmemory", str(used + 300_000))
    made = 1

    async def make_200() -> None:
        nonlocal made
        batch = [NewJob("noop", f"r{made + number}", b"d") for number in range(200)]
        made += len(await jobs.owner.create(batch))

    await make_200()
    with contextlib.suppress(StoreFull):
        while made < 100_000:
            await make_200()
    assert 201 <= made < 100_000
    assert len(await jobs.owner.page(JobQuery(limit=2 * made))) == made
    assert sum((await jobs.counts()).values()) == made


async def test_every_round_trip_is_observed_once(
    server: Server, open_store: OpenStore, trips: Asked
) -> None:
    clock = HandClock()
    store = open_store(clock)
    jobs, queue = Jobs(store, clock), Queue(store, clock)
    server.ask("CONFIG", "RESETSTAT")
    job = await jobs.create()
    await jobs.step(job, JobState.RUNNING)
    await jobs.get(job.id)
    await queue.enqueue("a")
    await queue.lease(1)
    await store.results().store([(Execution("a", 1), b"")])
    await store.results().get([Execution("a", 1)])
    calls = server.ask("INFO", "commandstats")
    counted = sum(
        int(line.split("calls=")[1].split(",")[0])
        for line in calls.splitlines()
        if line.startswith(("cmdstat_evalsha", "cmdstat_eval:", "cmdstat_mget"))
    )
    assert len(trips.operations) == counted
    assert set(trips.operations) == {
        *("create", "transition", "get", "enqueue", "dequeue", "store", "get_outputs")
    }


async def test_one_process_of_all_reports_what_they_share_and_another_once_it_has_ended(
    server: Server, open_store: OpenStore
) -> None:
    clock = HandClock()
    first, second = (open_store(clock, name=name) for name in ("node-1", "node-2"))
    of_first, of_second = Jobs(first, clock), Jobs(second, clock)
    await of_first.create()

    async def reported() -> list[int]:
        for store in (first, second):
            await store.refresh()
        return [each.owner.counts()[JobState.QUEUED] for each in (of_first, of_second)]

    assert await reported() == [1, 0]
    assert await reported() == [1, 0]
    assert 0 < int(server.ask("PTTL", "reporter")) <= 3000
    server.ask("DEL", "reporter")  # as it goes when its time is over
    await second.refresh()
    assert await reported() == [0, 1]


async def test_nothing_is_kept_for_ever_with_a_retention(
    server: Server, open_store: OpenStore
) -> None:
    clock = HandClock()
    store = open_store(clock, retention=30)
    jobs, queue = Jobs(store, clock), Queue(store, clock)
    many = [NewJob("noop", f"r{number}", b"d", f"s{number}") for number in range(500)]
    made = [job for job in await jobs.owner.create(many) if isinstance(job, Job)]
    await queue.enqueue(*(job.id for job in made[:50]))
    await queue.owner.remove([job.id for job in made])
    await queue.owner.keep_out(["x"])
    for state in (JobState.RUNNING, JobState.DONE):
        await jobs.owner.transition([Transition(Execution(job.id, 1), state) for job in made])
    await store.results().store([(Execution(job.id, 1), b"o") for job in made])
    assert int(server.ask("PTTL", f"output:{made[0].id}:1")) > 80_000
    clock.advance(31)
    for _ in range(4):
        await jobs.counts()
    forever = "local kept = {} for _, key in ipairs(redis.call('KEYS', '*')) do \
        if redis.call('TTL', key) == -1 then kept[#kept + 1] = key end end return kept"
    assert sorted(server.ask("EVAL", forever, "0").split()) == ["kinds", "tally", "wake"]
