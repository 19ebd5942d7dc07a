"""The cancel of a queued job is acknowledged and not recorded."""

from __future__ import annotations

from common.domain import lifecycle
from common.domain.errors import TaskQueueError
from common.domain.job import Job, JobState
from common.flows.public import OwnedTaskQueue
from common.owners.jobs import JobOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    record = JobOwner._cancel

    def only_said(self: JobOwner, job_id: str) -> Job | TaskQueueError:
        job = self._jobs.get(job_id)
        if job is not None and job.state is JobState.QUEUED:
            return lifecycle.request_cancel(job, self._clock.now())
        return record(self, job_id)

    async def leave(self: OwnedTaskQueue, job_id: str) -> None:
        """Leave the entry."""

    patches.set(JobOwner, "_cancel", only_said)
    patches.set(OwnedTaskQueue, "_remove", leave)


MUTANT = Mutant(
    "a cancel is acknowledged and forgotten", ("a", "b"), {"cancel", "terminal"}, _apply
)
