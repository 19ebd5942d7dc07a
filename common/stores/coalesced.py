"""What many ask of a store at a time goes there together: a round trip is what costs most."""

from __future__ import annotations

from collections.abc import Sequence

from common import context
from common.domain.errors import DeadlineExceeded, TaskQueueError
from common.domain.job import Execution, Job, Outcome
from common.flows.coalesce import Coalescer
from common.ports import Exchanged, SharedState, Submission
from common.stores.server import SECONDS

_OTHER_BYTES = 100  # of a submission, beside its payload


class CoalescedState:
    """The ``SharedState`` port over that of a store: submits that come meanwhile go together."""

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self._accepts: Coalescer[Submission, Job | TaskQueueError] = Coalescer(_Accept(state))

    async def accept(self, submissions: Sequence[Submission]) -> list[Job | TaskQueueError]:
        """Create records and enqueue them, of each both or neither."""
        return await self._accepts.call(submissions)

    async def exchange(
        self,
        worker: str,
        reports: Sequence[tuple[Execution, Outcome]],
        max_jobs: int,
        remove: Sequence[str] = (),
    ) -> Exchanged:
        """Take reports and bring the next jobs, at once: there is one worker in a process."""
        return await self._state.exchange(worker, reports, max_jobs, remove)


class _Accept:
    """``SharedState.accept`` as a ``Carrier``."""

    name = "store"

    def __init__(self, state: SharedState) -> None:
        self.carry = state.accept

    def time_left(self) -> float:
        left = context.remaining(SECONDS)
        if left <= 0:
            raise DeadlineExceeded(self.name)
        return left

    def size(self, submission: Submission) -> int:
        return len(submission.spec.payload) + _OTHER_BYTES

    def waited(self, within: str, seconds: float) -> None:  # noqa: ARG002  # part of the port
        """Count it as time of the call that is handled; metrics of the store have each trip."""
        if (handling := context.handling()) is not None:
            handling.stored += seconds
