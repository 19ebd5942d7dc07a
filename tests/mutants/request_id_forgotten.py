"""A request id is forgotten once its job has ended: a late repeat makes a second job."""

from __future__ import annotations

from common.domain.errors import TaskQueueError
from common.domain.job import Job
from common.owners.jobs import JobOwner
from common.ports import NewJob
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    create = JobOwner._create

    def forgetful(self: JobOwner, new: NewJob) -> Job | TaskQueueError:
        known = self._requests.get(new.request_id)
        if known is not None and self._jobs[known.job_id].state.terminal:
            del self._requests[new.request_id], self._request_of[known.job_id]
        return create(self, new)

    patches.set(JobOwner, "_create", forgetful)


MUTANT = Mutant("a late repeat makes a second job", ("a", "b"), {"duplicated"}, _apply)
