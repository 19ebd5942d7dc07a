"""Several processes share a store: what they do at the same time has an order, the same for all."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from common.domain.errors import SubmitWithdrawn, TaskQueueError
from common.domain.ids import IdMint
from common.domain.job import Execution, Failure, Job, JobSpec, JobState
from common.ports import NewEntry, NewJob, Transition
from common.stores.postgres import PostgresStore, waiters
from common.stores.redis import RedisStore
from tests.conformance.conftest import REMOTE, Begin
from tests.support.owners import HandClock, Silence
from tests.support.postgres import waiting_for
from tests.support.stores import LEASE, Asked, settings_of
from tests.support.waiting import eventually_async

ROUNDS = 30
POSTGRES_ALONE = pytest.mark.parametrize(
    "processes", [pytest.param("postgres", marks=pytest.mark.needs("postgres"))], indirect=True
)
STORES = {"postgres": PostgresStore, "redis": RedisStore}


class Process:
    """One of those who share a store."""

    def __init__(self, store: Any, number: int) -> None:
        self.store = store
        self.seen = Silence()
        self.jobs = store.jobs(IdMint(number, number), self.seen)
        self.queue = store.queue(Silence())


@pytest.fixture(params=REMOTE)
async def processes(
    request: pytest.FixtureRequest, clock: HandClock, asked: Asked
) -> AsyncIterator[list[Process]]:
    """Three processes, as the nodes of Design B are."""
    address = request.getfixturevalue(f"{request.param}_address")
    if request.param == "redis":
        async with Redis(port=int(address.rpartition(":")[2])) as client:
            await client.flushall()
    else:
        connection = await asyncpg.connect(f"postgresql://store@{address}/store")
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close()
    given = {"store": request.param, "peers": {request.param: address}}
    opened = [
        STORES[request.param](settings_of(name=f"store-{number}", **given), clock, asked)
        for number in range(3)
    ]
    for store in opened:
        await store.refresh()
    # All know of each other from the second time on.
    for store in opened:
        await store.refresh()
    yield [Process(store, number) for number, store in enumerate(opened)]
    for store in opened:
        await store.close()


def entries(names: Sequence[str]) -> list[NewEntry]:
    return [NewEntry(name, JobSpec("noop")) for name in names]


def shuffled(rng: random.Random, names: Sequence[str]) -> list[str]:
    return rng.sample(names, len(names))


async def test_one_request_id_makes_one_job_whoever_is_asked(processes: list[Process]) -> None:
    rng = random.Random(1)
    for turn in range(ROUNDS):
        names = [f"r{turn}.{number}" for number in range(8)]
        orders = [shuffled(rng, names) for _ in processes * 2]
        answers = await asyncio.gather(
            *(
                process.jobs.create(
                    [NewJob("noop", name, b"d", f"{name}.{place}") for name in order]
                )
                for place, (process, order) in enumerate(zip(processes * 2, orders, strict=True))
            )
        )
        found = {name: set[str]() for name in names}
        for order, created in zip(orders, answers, strict=True):
            for name, job in zip(order, created, strict=True):
                found[name].add(job.id)
        assert [len(ids) for ids in found.values()] == [1] * len(names)


async def test_one_submit_makes_one_job_however_often_it_arrives(
    processes: list[Process],
) -> None:
    for turn in range(ROUNDS):
        new = NewJob("noop", f"r{turn % 2}.{turn}" if turn % 2 else "", b"d", f"s{turn}")
        answers = await asyncio.gather(*(each.jobs.create([new]) for each in processes * 2))
        assert len({job.id for (job,) in answers}) == 1


async def test_no_job_is_forgotten_on_which_a_submit_relies_that_was_answered(
    processes: list[Process],
) -> None:
    """The one is withdrawn while the other comes: it gets the job, and keeps it, or another."""
    first, second, third = processes

    async def rely(turn: int) -> None:
        (job,) = await first.jobs.create([NewJob("noop", f"r{turn}", b"d", f"a{turn}")])
        repeat = second.jobs.create([NewJob("noop", f"r{turn}", b"d", f"b{turn}")])
        _, (relied,) = await asyncio.gather(third.jobs.withdraw(f"a{turn}", job.id), repeat)
        assert isinstance(relied, Job)
        assert await first.jobs.get([relied.id]) == [relied]

    # Many at a time: so one comes in between two statements of another.
    for turn in range(ROUNDS):
        await asyncio.gather(*(rely(turn * 10 + each) for each in range(10)))


async def test_a_withdrawn_submit_makes_no_job_whichever_message_comes_first(
    processes: list[Process],
) -> None:
    first, second, _ = processes
    for turn in range(2 * ROUNDS):
        new = NewJob("noop", f"r{turn}", b"d", f"s{turn}")
        (answer,), _ = await asyncio.gather(
            first.jobs.create([new]), second.jobs.withdraw(f"s{turn}")
        )
        if isinstance(answer, Job):
            (answer,) = await first.jobs.get([answer.id])
        assert isinstance(answer, TaskQueueError)
        # Nor does it leave the request id to nobody.
        (other,) = await second.jobs.create([NewJob("noop", f"r{turn}", b"e", f"t{turn}")])
        assert isinstance(other, Job)


async def test_the_first_end_of_a_job_wins_for_all(processes: list[Process]) -> None:
    rng = random.Random(2)
    for _ in range(ROUNDS):
        made = await processes[0].jobs.create([NewJob("noop")] * 8)
        ids = [job.id for job in made]
        start = [Transition(Execution(job_id, 1), JobState.RUNNING, "w") for job_id in ids]
        await asyncio.gather(*(each.jobs.transition(start) for each in processes))
        await processes[0].jobs.set_cancel_requested(ids)
        ends = [JobState.DONE, JobState.FAILED, JobState.CANCELED]

        async def end(process: Process, target: JobState, ids: Sequence[str]) -> list[Any]:
            failure = Failure("X", "x") if target is JobState.FAILED else None
            return await process.jobs.transition(
                [Transition(Execution(each, 1), target, failure=failure) for each in ids]
            )

        orders = [shuffled(rng, ids) for _ in processes]
        answers = await asyncio.gather(*map(end, processes, ends, orders))
        won: dict[str, list[Job]] = {job_id: [] for job_id in ids}
        for order, ended in zip(orders, answers, strict=True):
            for job_id, answer in zip(order, ended, strict=True):
                if isinstance(answer, Job):
                    won[job_id].append(answer)
        assert [len(jobs) for jobs in won.values()] == [1] * len(ids)
        assert await processes[2].jobs.get(ids) == [won[job_id][0] for job_id in ids]


async def test_only_one_start_of_an_attempt_is_taken(processes: list[Process]) -> None:
    for _ in range(ROUNDS):
        (job,) = await processes[0].jobs.create([NewJob("noop")])
        answers = await asyncio.gather(
            *(
                each.jobs.transition(
                    [Transition(Execution(job.id, 1), JobState.RUNNING, f"w{number}")]
                )
                for number, each in enumerate(processes)
            )
        )
        assert sum(isinstance(answer, Job) for (answer,) in answers) == 1


async def test_an_entry_is_leased_by_one_process(processes: list[Process]) -> None:
    names = [f"j{number:03}" for number in range(120)]
    await asyncio.gather(
        *(each.queue.enqueue(entries(names[place::3])) for place, each in enumerate(processes))
    )

    async def take_all(process: Process) -> list[str]:
        taken: list[str] = []
        while got := (await process.queue.dequeue(4)).assignments:
            taken += [each.execution.job_id for each in got]
        return taken

    taken = await asyncio.gather(*map(take_all, processes * 2))
    # Whoever passes over what another takes at the moment finds nothing, and leaves it.
    assert sorted(name for some in taken for name in some) == names


async def test_what_is_removed_does_not_come_back_and_nothing_else_is_lost(
    processes: list[Process], clock: HandClock
) -> None:
    names = [f"j{number:02}" for number in range(24)]
    await processes[0].queue.enqueue(entries(names))
    removed: set[str] = set()
    handed_out: Counter[Execution] = Counter()
    rng = random.Random(3)

    async def consume(process: Process) -> None:
        taken = [each.execution for each in (await process.queue.dequeue(3)).assignments]
        assert removed.isdisjoint(each.job_id for each in taken)
        handed_out.update(taken)
        ended = [each.job_id for each in taken if rng.random() < 0.3]
        released = [each for each in taken if each.job_id not in ended and rng.random() < 0.5]
        await process.queue.dequeue(0, release=released, remove=ended)
        removed.update(ended)

    while len(removed) < len(names):
        await asyncio.gather(*map(consume, processes * 2))
        clock.advance(LEASE / 2)
    assert max(handed_out.values()) == 1
    assert set(names) == removed


async def test_a_job_is_kept_out_or_in_the_queue_and_never_both(
    processes: list[Process],
) -> None:
    rng = random.Random(4)
    for turn in range(ROUNDS):
        names = [f"j{turn}.{number}" for number in range(6)]
        order = shuffled(rng, names)
        refusals, out = await asyncio.gather(
            processes[0].queue.enqueue(entries(names)), processes[1].queue.keep_out(order)
        )
        is_out = dict(zip(order, out, strict=True))
        for name, refusal in zip(names, refusals, strict=True):
            assert isinstance(refusal, SubmitWithdrawn) == is_out[name]
        present = await processes[2].queue.remove(names)
        assert present == [not is_out[name] for name in names]


async def test_leases_of_a_process_that_has_gone_end_for_the_others(
    processes: list[Process], clock: HandClock
) -> None:
    await processes[0].queue.enqueue(entries(["a"]))
    assert (await processes[0].queue.dequeue(1)).assignments
    clock.advance(LEASE / 2)
    assert not (await processes[1].queue.dequeue(1)).assignments
    clock.advance(LEASE)
    (again,) = (await processes[1].queue.dequeue(1)).assignments
    assert again.execution == Execution("a", 2)


async def test_who_waits_is_woken_by_what_comes_in_at_another_process(
    processes: list[Process], begin_to_wait: Begin
) -> None:
    waiting = await begin_to_wait(processes[1].queue)
    # From the next time on the others know that somebody waits there.
    for process in (processes[1], processes[0]):
        await process.store.refresh()
    await processes[0].queue.enqueue(entries(["a"]))
    dequeued = await asyncio.wait_for(waiting, 10)
    assert [each.execution for each in dequeued.assignments] == [Execution("a", 1)]


@POSTGRES_ALONE
async def test_who_waits_is_woken_when_those_notified_are_taken_to_be_awake_no_longer(
    processes: list[Process], asked: Asked, begin_to_wait: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiters, "AWAKE", 2.0)
    first, second, third = processes
    first.store.results()
    waiting = await begin_to_wait(second.queue)
    # The third one does not know that somebody waits, and wakes nobody.
    for process in (second, first):
        await process.store.refresh()
    await first.queue.enqueue(entries(["a"]))
    await asyncio.wait_for(waiting, 10)
    await eventually_async(lambda: asked.operations.count("notify") == 1)
    # So that no lease runs out for which it would look again.
    await second.queue.remove(["a"])
    waiting = await begin_to_wait(second.queue)
    await third.queue.enqueue(entries("bcde"))
    # There is more each time, and the second one was notified a moment ago: so that has to wait.
    for name in "bcd":
        exchanged = await first.store.shared().exchange("w", [], 1)
        assert [each.execution.job_id for each in exchanged.leased] == [name]
    dequeued = await asyncio.wait_for(waiting, 10)
    assert [each.execution.job_id for each in dequeued.assignments] == ["e"]
    await eventually_async(lambda: asked.operations.count("notify") > 1)
    assert asked.operations.count("notify") == 2


@POSTGRES_ALONE
@pytest.mark.usefixtures("begin_to_wait")
async def test_what_comes_while_a_dequeue_looks_is_looked_for_once_more(
    processes: list[Process], request: pytest.FixtureRequest
) -> None:
    queue = processes[0].queue
    await queue.enqueue(entries(["a"]))
    assert (await queue.dequeue(1)).assignments
    address = request.getfixturevalue("postgres_address")
    session = await asyncpg.connect(f"postgresql://postgres@{address}/store")
    async with session.transaction():
        await session.execute("SELECT FROM entries WHERE job_id = 'a' FOR UPDATE")
        # What it sees is settled by now, and it waits for the entry that it removes.
        looking = asyncio.create_task(queue.dequeue(1, max_wait=60, remove=["a"]))
        await waiting_for(session, "Lock")
        await queue.enqueue(entries(["b"]))
    dequeued = await asyncio.wait_for(looking, 10)
    assert [each.execution.job_id for each in dequeued.assignments] == ["b"]
    await session.close()


@POSTGRES_ALONE
async def test_gauges_of_all_together_show_each_thing_once(processes: list[Process]) -> None:
    for number, process in enumerate(processes):
        await process.jobs.create([NewJob("noop")] * (number + 1))
        await process.queue.enqueue(entries([f"j{number}.{each}" for each in range(number + 2)]))
    await processes[2].queue.dequeue(4)

    async def shown() -> tuple[int, int, int]:
        for process in processes:
            await process.store.refresh()
        queued = sum(each.jobs.counts()[JobState.QUEUED] for each in processes)
        depth, leased = (
            sum(read(each.queue) for each in processes)
            for read in (lambda queue: queue.depth(), lambda queue: queue.leased())
        )
        return queued, depth, leased

    seen = [await shown() for _ in range(2)]
    assert seen[-1] == (6, 5, 4)
