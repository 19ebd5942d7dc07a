"""Fills stores with jobs and prints what each question costs then: half an hour or more."""

from __future__ import annotations

import argparse
import asyncio
import secrets
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

Ask = Callable[[StoredJobs], Awaitable[object]]


def _new(count: int) -> list[NewJob]:
    """Return jobs to create; their keys have no order, as those of submits have none."""
    return [NewJob("noop", secrets.token_hex(16), b"d", secrets.token_hex(8)) for _ in range(count)]


QUESTIONS: Mapping[str, Ask] = {
    "submit 1": lambda jobs: jobs.create(_new(1)),
    "submit 16 at once": lambda jobs: jobs.create(_new(16)),
    "list 50, the newest": lambda jobs: jobs.page(JobQuery()),
    "list 50 that are done": lambda jobs: jobs.page(JobQuery(JobState.DONE)),
    "list 50 of a kind": lambda jobs: jobs.page(JobQuery(kind="noop")),
    "list 50 that failed: none": lambda jobs: jobs.page(JobQuery(JobState.FAILED)),
}


async def fill(held: Held) -> None:
    """Have so many jobs that are done, through the steps that every job takes."""
    store, jobs = held.open()

    async def some(first: int) -> None:
        for number in range(first, held.count, BATCH * AT_A_TIME):
            size = min(BATCH, held.count - number)
            made = [Execution(job.id, 1) for job in await jobs.create(_new(size))]  # type: ignore[union-attr]
            for state in (JobState.RUNNING, JobState.DONE):
                await jobs.transition([Transition(each, state, "w") for each in made])
            if not number % (BATCH * AT_A_TIME * 100):
                progress(f"{held.store}: {number:,} of {held.count:,} jobs")

    await store.refresh()
    await asyncio.gather(*(some(BATCH * each) for each in range(AT_A_TIME)))
    await store.close()
    await held.settle()


async def cost(held: Held, ask: Ask, times: int) -> tuple[float, list[float]]:
    """Return what one question makes the server count, and the seconds of each."""
    before = await held.counted()
    # It is not refreshed: that reads the numbers of all jobs once, and would be a part of each.
    store, jobs = held.open()
    # The first one prepares statements and finds the connection.
    await ask(jobs)
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        await ask(jobs)
        seconds.append(time.perf_counter() - began)
    await store.close()
    found = (await held.counted() - before) / (times + 1)
    await held.settle()
    return found, seconds


async def measured(held: Sequence[Held], times: int, repeats: int) -> list[tuple[str, list[str]]]:
    """Return a row for each question to each kind of store: its cost by number of jobs held."""
    rows = []
    for name, ask in QUESTIONS.items():
        counts: dict[Held, list[float]] = {each: [] for each in held}
        seconds: dict[Held, list[float]] = {each: [] for each in held}
        for repeat in range(repeats):
            progress(f"{name}, repeat {repeat + 1}")
            for each in held:
                count, took = await cost(each, ask, times)
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
        "--held",
        type=int,
        nargs="+",
        default=(1_000, 10_000, 100_000, 1_000_000),
        metavar="JOBS",
        help="jobs held; the ratio is that of the last to the first",
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
