"""An entry that a lost acknowledgement left behind runs its ended job once more."""

from __future__ import annotations

from dataclasses import replace

from common.domain import lifecycle
from common.domain.job import Job, JobState
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    start = lifecycle.start

    def again(job: Job, attempt: int, worker: str, now: int) -> Job:
        if job.state in (JobState.DONE, JobState.FAILED):
            job = replace(job, state=JobState.QUEUED, failure=None, finish_time=None)
        return start(job, attempt, worker, now)

    patches.set(lifecycle, "start", again)


MUTANT = Mutant("an ended job is started again", ("a",), {"terminal"}, _apply)
