"""A start that arrives once more makes the job begin anew."""

from __future__ import annotations

from dataclasses import replace

from common.domain import lifecycle
from common.domain.job import Job, JobState
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    start = lifecycle.start

    def anew(job: Job, attempt: int, worker: str, now: int) -> Job:
        after = start(job, attempt, worker, now)
        running = job.state is JobState.RUNNING and after is job
        return replace(job, start_time=now) if running else after

    patches.set(lifecycle, "start", anew)


MUTANT = Mutant("a repeated start overwrites its time", ("a",), {"steps"}, _apply, "late repeats")
