"""A report on a job that has ended is taken as well: the last terminal write wins."""

from __future__ import annotations

from dataclasses import replace

from common.domain import lifecycle
from common.domain.job import Failure, Job, JobState
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    finish = lifecycle.finish

    def overwriting(
        job: Job, attempt: int, target: JobState, failure: Failure | None, now: int
    ) -> Job:
        if job.state.terminal:
            return replace(job, state=target, attempt=attempt, failure=failure, finish_time=now)
        return finish(job, attempt, target, failure, now)

    patches.set(lifecycle, "finish", overwriting)


MUTANT = Mutant("a second report overwrites the first", ("a",), {"terminal", "steps"}, _apply)
