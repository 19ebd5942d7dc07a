"""A job that fails is given the failure of the one that failed before it."""

from __future__ import annotations

from common.domain import lifecycle
from common.domain.job import Failure, Job, JobState
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    finish = lifecycle.finish
    last: list[Failure] = []

    def swapped(job: Job, attempt: int, target: JobState, failure: Failure | None, now: int) -> Job:
        if failure is not None:
            last.append(failure)
            failure = last[-2:][0]
        return finish(job, attempt, target, failure, now)

    patches.set(lifecycle, "finish", swapped)


MUTANT = Mutant("a job shows the failure of another", ("a", "b"), {"runs"}, _apply)
