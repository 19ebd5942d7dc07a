"""A request id is kept when its job is forgotten, and a repeat is answered with that job."""

from __future__ import annotations

from common.domain.errors import TaskQueueError
from common.domain.job import Job
from common.owners.jobs import JobOwner
from common.ports import NewJob
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    create, drop = JobOwner._create, JobOwner._drop
    dropped: dict[tuple[JobOwner, str], Job] = {}

    def remembered(self: JobOwner, job: Job) -> None:
        request_id = self._request_of.get(job.id)
        if request_id is not None and job.state.terminal:
            dropped[self, request_id] = job
        drop(self, job)

    def answered(self: JobOwner, new: NewJob) -> Job | TaskQueueError:
        return dropped.get((self, new.request_id)) or create(self, new)

    patches.set(JobOwner, "_drop", remembered)
    patches.set(JobOwner, "_create", answered)


MUTANT = Mutant("a request id outlives its job", ("a", "b"), {"steps"}, _apply, "retention")
