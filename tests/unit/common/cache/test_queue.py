"""What is terminal is asked of its owner once, and nothing else is kept."""

from __future__ import annotations

import pytest

from common import context
from common.cache.keeping import MOST_BYTES, SETTLED, SLACK
from common.domain.errors import JobNotFinished, JobNotFound
from common.domain.job import JobState
from common.rpc.callers import NODE
from tests.unit.common.cache.fakes import Bench

TERMINAL = [JobState.DONE, JobState.FAILED, JobState.CANCELED]
UNSETTLED = ["process", "delayed"]


@pytest.mark.parametrize("state", TERMINAL)
async def test_the_owner_of_an_ended_job_is_asked_once_for_each_answer(state: JobState) -> None:
    bench = Bench()
    job_id = bench.owner.accept()
    bench.owner.end(job_id, state)
    first = await bench.queue.status(job_id), await bench.queue.result(job_id)
    assert (await bench.queue.status(job_id), await bench.queue.result(job_id)) == first
    assert first[0] == bench.owner.jobs[job_id]
    assert first[1].state is state
    assert bench.owner.asked == {"status": 1, "result": 1}
    assert bench.seen.counts == {"miss": 2, "hit": 2}


async def test_a_job_that_has_not_ended_is_asked_for_every_time() -> None:
    bench = Bench()
    job_id = bench.owner.accept()
    for _ in range(3):
        assert (await bench.queue.status(job_id)).state is JobState.QUEUED
        with pytest.raises(JobNotFinished):
            await bench.queue.result(job_id)
    assert bench.owner.asked == {"status": 3, "result": 3}
    assert not bench.kept
    bench.owner.end(job_id)
    assert (await bench.queue.status(job_id)).state is JobState.DONE


async def test_a_job_that_there_is_not_is_asked_for_every_time() -> None:
    bench = Bench()
    job_id = bench.owner.accept()
    del bench.owner.jobs[job_id]
    for ask in (bench.queue.status, bench.queue.result):
        for _ in range(2):
            with pytest.raises(JobNotFound):
                await ask(job_id)
    assert not bench.kept


async def test_an_answer_is_there_when_its_owner_has_lost_the_job() -> None:
    bench = Bench()
    job_id = bench.owner.accept()
    bench.owner.end(job_id)
    known = await bench.queue.status(job_id), await bench.queue.result(job_id)
    bench.owner.jobs.clear()
    assert (await bench.queue.status(job_id), await bench.queue.result(job_id)) == known


async def test_an_answer_is_not_given_when_the_retention_of_its_job_is_over() -> None:
    bench = Bench(retention=60)
    job_id = bench.owner.accept()
    bench.owner.end(job_id)
    await bench.queue.status(job_id)
    await bench.queue.result(job_id)
    bench.clock.advance(60 - SLACK - 0.001)
    await bench.queue.status(job_id)
    await bench.queue.result(job_id)
    assert bench.owner.asked == {"status": 1, "result": 1}
    bench.clock.advance(0.001)
    del bench.owner.jobs[job_id]
    for ask in (bench.queue.status, bench.queue.result):
        with pytest.raises(JobNotFound):
            await ask(job_id)


async def test_the_time_of_a_result_counts_from_when_its_job_was_accepted() -> None:
    bench = Bench(retention=60)
    job_id = bench.owner.accept()
    bench.clock.advance(61)
    bench.owner.end(job_id)
    await bench.queue.status(job_id)
    await bench.queue.result(job_id)
    assert list(bench.kept) == [f"status:{job_id}"]


@pytest.mark.parametrize("retention", [0.1, SLACK / 2, SLACK])
async def test_with_a_retention_shorter_than_clocks_may_differ_nothing_is_kept(
    retention: float,
) -> None:
    bench = Bench(retention=retention)
    job_id = bench.owner.accept()
    bench.owner.end(job_id)
    await bench.queue.status(job_id)
    await bench.queue.result(job_id)
    assert not bench.kept


async def test_the_answer_of_an_owner_whose_clock_is_far_ahead_is_not_kept() -> None:
    bench = Bench(retention=60)
    bench.clock.advance(10)
    job_id = bench.owner.accept()
    bench.owner.end(job_id)
    bench.clock.advance(-10)
    await bench.queue.status(job_id)
    assert not bench.kept


@pytest.mark.parametrize("durability", UNSETTLED)
async def test_an_end_that_the_store_may_lose_is_not_kept_until_it_has_settled(
    durability: str,
) -> None:
    bench = Bench(durability=durability)
    job_id = bench.owner.accept()
    bench.owner.end(job_id)
    await bench.queue.status(job_id)
    await bench.queue.result(job_id)
    # The store fails over to a copy that has not got the end; the job runs again.
    bench.owner.end(job_id, JobState.FAILED, attempt=2)
    assert (await bench.queue.status(job_id)).attempt == 2
    assert (await bench.queue.result(job_id)).state is JobState.FAILED
    assert not bench.kept
    bench.clock.advance(SETTLED)
    bench.owner.asked.clear()
    for _ in range(2):
        assert (await bench.queue.result(job_id)).state is JobState.FAILED
        assert (await bench.queue.status(job_id)).attempt == 2
    assert bench.owner.asked == {"status": 1, "result": 1}


async def test_a_result_is_not_kept_whose_job_ended_long_after_it_was_accepted() -> None:
    bench = Bench(durability="delayed")
    job_id = bench.owner.accept()
    bench.clock.advance(2 * SETTLED)
    bench.owner.end(job_id)
    assert (await bench.queue.result(job_id)).state is JobState.DONE
    assert not bench.kept


async def test_a_result_is_given_even_if_nobody_says_any_more_when_its_job_ended() -> None:
    bench = Bench(durability="delayed")
    job_id = bench.owner.accept()
    bench.owner.end(job_id)
    bench.clock.advance(2 * SETTLED)

    async def lost(job_id: str) -> None:
        raise JobNotFound(job_id)

    bench.owner.status = lost  # type: ignore[assignment, method-assign]
    assert (await bench.queue.result(job_id)).state is JobState.DONE
    assert not bench.kept


async def test_an_answer_too_large_for_the_cache_is_given_and_not_kept() -> None:
    bench = Bench()
    bench.owner.output = b"x" * (MOST_BYTES + 1)
    job_id = bench.owner.accept()
    bench.owner.end(job_id)
    for _ in range(2):
        assert (await bench.queue.result(job_id)).output == bench.owner.output
    assert not bench.kept


@pytest.mark.parametrize("kept", [b"", b"short", b"\x7f" * 8 + b"\xff\xff\xff", b"\x7f" * 8])
async def test_what_cannot_be_read_is_counted_and_asked_of_the_owner(kept: bytes) -> None:
    bench = Bench()
    job_id = bench.owner.accept()
    bench.owner.end(job_id)
    bench.kept[f"status:{job_id}"] = kept
    bench.kept[f"result:{job_id}"] = kept
    assert await bench.queue.status(job_id) == bench.owner.jobs[job_id]
    assert (await bench.queue.result(job_id)).output == bench.owner.output
    assert bench.seen.counts["unreadable"] == 2


async def test_what_a_node_forwards_it_has_looked_for_itself() -> None:
    bench = Bench()
    job_id = bench.owner.accept()
    bench.owner.end(job_id)
    with context.call(caller=NODE):
        await bench.queue.status(job_id)
        await bench.queue.result(job_id)
    assert not bench.seen.counts
    assert not bench.kept


async def test_what_a_cancel_answers_is_not_kept_as_a_status() -> None:
    bench = Bench()
    job_id = bench.owner.accept()
    assert (await bench.queue.cancel(job_id)).state is JobState.CANCELED
    assert not bench.kept
