"""A failed repeat withdraws the job that an earlier submit was promised."""

from __future__ import annotations

from common.domain.job import Job
from common.owners.jobs import JobOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    withdraw = JobOwner._withdraw

    def alone(self: JobOwner, job: Job, submit_id: str) -> bool:
        request_id = self._request_of.get(job.id)
        if request_id is not None:
            self._requests[request_id].dependents = {submit_id}
        return withdraw(self, job, submit_id)

    patches.set(JobOwner, "_withdraw", alone)


MUTANT = Mutant("a failed repeat takes the first job back", ("a",), {"lost"}, _apply)
