"""Fills stores with jobs and prints what is asked costs then: ten minutes for a million jobs."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import uvloop

from common.config import POSTGRES, REDIS
from common.domain.job import Execution, JobState
from common.domain.paging import JobQuery
from common.ports import NewJob, Transition
from common.stores.store import StoredJobs
from studies.held.servers import Held, started
from studies.tables import progress, table

BATCH = 250
AT_A_TIME = 4
STORES = (REDIS, POSTGRES)
COUNTS_OF = {REDIS: "commands", POSTGRES: "buffers"}

Ask = Callable[[StoredJobs, int], Awaitable[object]]


def _new(number: int, count: int) -> list[NewJob]:
    return [
        NewJob("noop", f"asked-{number}-{each}", b"d", f"submit-{number}-{each}")
        for each in range(count)
    ]


QUESTIONS: Mapping[str, Ask] = {
    "submit 1": lambda jobs, number: jobs.create(_new(number, 1)),
    "submit 16 at once": lambda jobs, number: jobs.create(_new(number, 16)),
    "list 50, the newest": lambda jobs, _: jobs.page(JobQuery()),
    "list 50 that are done": lambda jobs, _: jobs.page(JobQuery(JobState.DONE)),
    "list 50 of a kind": lambda jobs, _: jobs.page(JobQuery(kind="noop")),
    "list 50 that failed: none": lambda jobs, _: jobs.page(JobQuery(JobState.FAILED)),
}


async def fill(held: Held) -> None:
    """Have so many jobs that are done, through the steps that every job takes."""
    store, jobs = held.open()

    async def some(first: int) -> None:
        for number in range(first, held.count, BATCH * AT_A_TIME):
            size = min(BATCH, held.count - number)
            new = [NewJob("noop", f"held-{number + each}", b"d") for each in range(size)]
            made = [Execution(job.id, 1) for job in await jobs.create(new)]  # type: ignore[union-attr]
            for state in (JobState.RUNNING, JobState.DONE):
                await jobs.transition([Transition(each, state, "w") for each in made])
            if not number % (BATCH * AT_A_TIME * 100):
                progress(f"{held.store}: {number:,} of {held.count:,} jobs")

    await store.refresh()
    await asyncio.gather(*(some(BATCH * each) for each in range(AT_A_TIME)))
    await store.close()
    await held.vacuum()


async def cost(held: Held, ask: Ask, first: int, times: int) -> tuple[float, list[float]]:
    """Return what one question makes the server count, and the seconds of each."""
    store, jobs = held.open()
    await store.refresh()
    # The first one prepares statements and finds the connection.
    await ask(jobs, first)
    await store.close()
    seconds = []
    before = await held.counted()
    store, jobs = held.open()
    await store.refresh()
    for number in range(first + 1, first + 1 + times):
        began = time.perf_counter()
        await ask(jobs, number)
        seconds.append(time.perf_counter() - began)
    await store.close()
    return (await held.counted() - before) / times, seconds


async def measured(held: Sequence[Held], times: int, repeats: int) -> list[tuple[str, list[str]]]:
    """Return a row for each question to each kind of store: its cost by number of jobs held."""
    rows = []
    numbers = iter(range(0, 1 << 40, times + 1))
    for name, ask in QUESTIONS.items():
        counts: dict[Held, list[float]] = {each: [] for each in held}
        seconds: dict[Held, list[float]] = {each: [] for each in held}
        for repeat in range(repeats):
            progress(f"{name}, repeat {repeat + 1}")
            for each in held:
                count, took = await cost(each, ask, next(numbers), times)
                counts[each].append(count)
                seconds[each].append(statistics.median(took))
        for store in dict.fromkeys(each.store for each in held):
            ours = [each for each in held if each.store == store]
            rows.append(
                (
                    store,
                    [name, *_figures(ours, counts, ".1f", 1), *_figures(ours, seconds, ".0f", 1e6)],
                )
            )
    return rows


def _figures(
    held: Sequence[Held], found: Mapping[Held, Sequence[float]], unit: str, scale: float
) -> list[str]:
    """Return the medians, and the ratio of the last to the first."""
    medians = [statistics.median(found[each]) for each in held]
    return [*(f"{each * scale:{unit}}" for each in medians), f"{medians[-1] / medians[0]:.2f}"]


async def run(arguments: argparse.Namespace, held: Sequence[Held]) -> None:
    """Fill the stores, ask and print."""
    for each in held:
        await fill(each)
    rows = await measured(held, arguments.times, arguments.repeats)
    for store in arguments.stores:
        sizes = [f"{each:,}" for each in arguments.held]
        what = COUNTS_OF[store]
        head = [store, *(f"{what}, {each}" for each in sizes), "ratio"]
        head += [*(f"µs, {each}" for each in sizes), "ratio"]
        text = table(head, [row for name, row in rows if name == store])
        sys.stdout.write(f"{text}\n")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m studies.held", description=__doc__)
    parser.add_argument("stores", nargs="*", metavar="STORE", help=f"of {', '.join(STORES)}")
    parser.add_argument(
        "--held", type=int, nargs=2, default=(1_000, 1_000_000), metavar="JOBS", help="jobs held"
    )
    parser.add_argument("--times", type=int, default=200, help="questions of a repeat")
    parser.add_argument("--repeats", type=int, default=5, help="repeats, all interleaved")
    arguments = parser.parse_args()
    arguments.stores = arguments.stores or STORES
    for each in arguments.stores:
        if each not in STORES:
            parser.error(f"no store {each}: there are {', '.join(STORES)}")
    with started(arguments.stores, arguments.held) as held:
        uvloop.run(run(arguments, held))


if __name__ == "__main__":
    main()
