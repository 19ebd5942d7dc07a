"""Steps over jobs, queue and results at once as their owners in memory would take them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from common.domain.errors import TaskQueueError
from common.domain.job import Execution, Job, JobState, Outcome
from common.owners.jobs import JobOwner
from common.owners.queue import QueueOwner
from common.owners.results import ResultOwner
from common.ports import Exchanged, NewEntry, NewJob, Submission, Transition


class SharedOwners:
    """The ``SharedState`` port, word for word: each thing is done by its owner after the other.

    Nobody else may ask the owners meanwhile. It is what stores that take such a step at once are
    held against, and not made to be fast.
    """

    def __init__(self, jobs: JobOwner, queue: QueueOwner, results: ResultOwner) -> None:
        self._jobs = jobs
        self._queue = queue
        self._results = results

    async def accept(self, submissions: Sequence[Submission]) -> list[Job | TaskQueueError]:
        """Create records and enqueue them, of each both or neither."""
        return [await self._accept(each) for each in submissions]

    async def exchange(
        self,
        worker: str,
        reports: Sequence[tuple[Execution, Outcome]],
        max_jobs: int,
        remove: Sequence[str] = (),
    ) -> Exchanged:
        """Store outputs, end jobs, remove entries; then lease entries and start their jobs."""
        ends = [await self._end(*report) for report in reports]
        leased = (await self._queue.dequeue(max_jobs, remove=remove)).assignments
        steps = [Transition(each.execution, JobState.RUNNING, worker) for each in leased]
        return Exchanged(ends, leased, await self._jobs.transition(steps))

    async def _accept(self, submission: Submission) -> Job | TaskQueueError:
        refusal = await self._refusal(submission)
        if refusal is not None and await self._is_new(submission.job):
            return refusal
        (answer,) = await self._jobs.create([submission.job])
        if isinstance(answer, Job) and answer.state is JobState.QUEUED:
            entry = NewEntry(answer.id, submission.spec, submission.correlation_id)
            (refused,) = await self._queue.enqueue([entry])
            assert refused is None, "one that waits is in the queue already"
        return answer

    async def _refusal(self, submission: Submission) -> TaskQueueError | None:
        """Return why the queue has no room for one more such entry, if it has none."""
        (refusal,) = await self._queue.enqueue([NewEntry("one more", submission.spec)])
        await self._queue.remove(["one more"])
        return refusal

    async def _is_new(self, new: NewJob) -> bool:
        """Return whether a submit would make a record, which only a copy is asked for."""
        (made,) = await copy.deepcopy(self._jobs).create([new])
        return isinstance(made, Job) and not isinstance((await self._jobs.get([made.id]))[0], Job)

    async def _end(self, execution: Execution, outcome: Outcome) -> Job | TaskQueueError:
        if outcome.state is JobState.DONE:
            await self._results.store([(execution, outcome.output)])
        step = Transition(execution, outcome.state, failure=outcome.failure)
        (answer,) = await self._jobs.transition([step])
        if isinstance(answer, Job):
            await self._queue.remove([execution.job_id])
        return answer
