"""A message that creates a job is forgotten once the job has ended: its repeat makes another."""

from __future__ import annotations

from common.domain.errors import TaskQueueError
from common.domain.job import Job
from common.owners.jobs import JobOwner
from common.ports import NewJob
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    create = JobOwner._create

    def forgetful(self: JobOwner, new: NewJob) -> Job | TaskQueueError:
        met = self._submits.get(new.submit_id)
        job = None if met is None else self._jobs.get(met)
        if job is not None and job.state.terminal:
            del self._submits._values[new.submit_id]
        return create(self, new)

    patches.set(JobOwner, "_create", forgetful)


MUTANT = Mutant(
    "a late repeat of CreateJob makes a job", ("a",), {"unexpected"}, _apply, "late repeats"
)
