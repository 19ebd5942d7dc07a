"""A request id that is used for another job is accepted, and answered with the first job."""

from __future__ import annotations

from dataclasses import replace

from common.domain.errors import TaskQueueError
from common.domain.job import Job
from common.owners.jobs import JobOwner
from common.ports import NewJob
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    create = JobOwner._create

    def careless(self: JobOwner, new: NewJob) -> Job | TaskQueueError:
        return create(self, replace(new, digest=b""))

    patches.set(JobOwner, "_create", careless)


MUTANT = Mutant(
    "another job under a used request id is accepted", ("a", "b"), {"duplicated"}, _apply
)
