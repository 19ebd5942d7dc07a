"""What the job owner's work costs as jobs pile up: it should cost the same at a million jobs.

``python -m testbed.runs.bench.scaling 10000 1000000`` prints one JSON object a size. It runs in a
process of its own, because a million jobs take some hundreds of megabytes.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from common.domain.errors import TaskQueueError
from common.domain.ids import IdMint
from common.domain.job import Execution, Job, JobState
from common.domain.paging import JobQuery
from common.owners.jobs import JobOwner
from common.ports import NewJob, Transition
from testbed.stack import environment

KINDS = ("noop", "sleep", "spin", "fail")
PAGES = 200


@dataclass(frozen=True)
class OwnerCost:
    """CPU microseconds of a job's life and of a page of 50, with so many jobs held.

    ``page_us`` is the dearest of several pages: of all jobs, by state, by kind, by both, and of
    old ones.
    """

    jobs: int
    life_us: float
    page_us: float


def costs(sizes: Sequence[int]) -> list[OwnerCost]:
    """Measure at each size, in a process of its own; raises ``CalledProcessError``."""
    command = [sys.executable, "-m", __name__, *map(str, sizes)]
    ended = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment.of_process(os.environ)
    )
    return [OwnerCost(**json.loads(line)) for line in ended.stdout.splitlines()]


class _Ticks:
    """A clock that moves by a few microseconds each time it is read."""

    def __init__(self) -> None:
        self._time = 1_700_000_000_000_000

    def now(self) -> int:
        self._time += 3
        return self._time


class _Nobody:
    """An observer that ignores all."""

    def transitioned(self, before: Job | None, after: Job) -> None:
        """Ignore a step."""

    def rejected(self, error: TaskQueueError) -> None:
        """Ignore a rejection."""


async def _measure(sizes: Sequence[int]) -> None:
    owner = JobOwner(IdMint(0, 1), _Ticks(), _Nobody())
    held = 0
    for size in sorted(sizes):
        began = time.process_time()
        for number in range(held, size):
            await _live(owner, number)
        life = (time.process_time() - began) / (size - held)
        held = size
        page = max([await _page_seconds(owner, query) for query in _queries()])
        cost = OwnerCost(size, round(life * 1e6, 2), round(page * 1e6, 2))
        sys.stdout.write(json.dumps(asdict(cost)) + "\n")
        sys.stdout.flush()


async def _live(owner: JobOwner, number: int) -> None:
    """Let a job live: one in ten stays queued, one in ten stays running, the others finish."""
    (job,) = await owner.create([NewJob(KINDS[number % len(KINDS)])])
    if isinstance(job, TaskQueueError):
        raise job
    execution = Execution(job.id, 1)
    if number % 10:
        await owner.transition([Transition(execution, JobState.RUNNING, "worker")])
    if number % 10 > 1:
        await owner.transition([Transition(execution, JobState.DONE)])


def _queries() -> Iterator[JobQuery]:
    yield JobQuery()
    yield JobQuery(kind="noop")
    yield JobQuery(state=JobState.DONE)
    yield JobQuery(state=JobState.QUEUED, kind="noop")
    yield JobQuery(before=IdMint(0, 1).next(1_700_000_000_000_000 + 10_000))


async def _page_seconds(owner: JobOwner, query: JobQuery) -> float:
    began = time.process_time()
    for _ in range(PAGES):
        await owner.page(query)
    return (time.process_time() - began) / PAGES


if __name__ == "__main__":
    asyncio.run(_measure([int(size) for size in sys.argv[1:]]))
