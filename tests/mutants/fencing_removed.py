"""The attempt is not checked at the end of an execution: a replaced one ends its job."""

from __future__ import annotations

from dataclasses import replace

from common.domain import lifecycle
from common.domain.job import Failure, Job, JobState
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    finish = lifecycle.finish

    def unfenced(
        job: Job, attempt: int, target: JobState, failure: Failure | None, now: int
    ) -> Job:
        return finish(replace(job, attempt=attempt), attempt, target, failure, now)

    patches.set(lifecycle, "finish", unfenced)


MUTANT = Mutant("a replaced attempt ends the job", ("a",), {"steps"}, _apply)
