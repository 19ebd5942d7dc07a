"""Lists go on to show jobs that are forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.errors import JobNotFound, TaskQueueError
from common.domain.job import Job
from common.owners.jobs import JobOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    async def get(self: JobOwner, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        latest = self._clock.now() - self._retention
        found = [self._jobs.get(job_id) for job_id in job_ids]
        return [
            JobNotFound(job_id) if job is None or (job.finish_time or latest + 1) <= latest else job
            for job_id, job in zip(job_ids, found, strict=True)
        ]

    patches.set(JobOwner, "get", get)
    patches.set(JobOwner, "_forget_ended", lambda _self: None)


MUTANT = Mutant("lists show forgotten jobs", ("a", "b"), {"steps"}, _apply, "retention")
