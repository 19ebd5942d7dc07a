"""Of the request ids only the last two hundred are kept."""

from __future__ import annotations

from common.domain.errors import TaskQueueError
from common.domain.job import Job
from common.owners.jobs import JobOwner
from common.ports import NewJob
from tests.mutants import Mutant, Patches

KEPT = 200


def _apply(patches: Patches) -> None:
    create = JobOwner._create

    def forgetful(self: JobOwner, new: NewJob) -> Job | TaskQueueError:
        job = create(self, new)
        while len(self._requests) > KEPT:
            oldest = next(iter(self._requests))
            del self._request_of[self._requests.pop(oldest).job_id]
        return job

    patches.set(JobOwner, "_create", forgetful)


MUTANT = Mutant("request ids are cut to 200", ("a", "b"), {"duplicated"}, _apply, "horizon")
