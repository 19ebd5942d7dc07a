"""A submit is acknowledged once its record exists; if the enqueue fails, nobody learns of it."""

from __future__ import annotations

from common import context
from common.domain.job import Job, JobSpec
from common.flows.batch import only_success
from common.flows.public import OwnedTaskQueue
from common.ports import NewEntry, NewJob
from tests.mutants import Mutant, Patches


async def _accept(self: OwnedTaskQueue, spec: JobSpec, request_id: str) -> str:
    digest = spec.digest() if request_id else b""
    job: Job = await only_success(self._jobs.create([NewJob(spec.kind, request_id, digest)]))
    entry = NewEntry(job.id, spec, context.correlation_id())

    async def enqueue() -> None:
        await self._queue.enqueue([entry])

    self._background.start(enqueue(), f"enqueue {job.id}")
    return job.id


def _apply(patches: Patches) -> None:
    patches.set(OwnedTaskQueue, "_accept", _accept)


MUTANT = Mutant("a submit does not wait for its enqueue", ("a", "b"), {"lost"}, _apply)
