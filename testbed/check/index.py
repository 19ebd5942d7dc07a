"""The index over a history: built once, in one pass, and read by all rules."""

from __future__ import annotations

from collections.abc import Callable

from testbed.check.expiry import Expiry
from testbed.check.loss import LossTimes
from testbed.check.observations import AUDIT, Observation, Sign, in_real_time, observations_of
from testbed.record.history import lines
from testbed.record.history.model import OPEN_END, CallOutcome, History, Operation, Page, Submitted

Scan = tuple[str, str]
"""A listing: the client that made it and its name for it."""


class JobHistory:
    """What the history says of one job.

    ``submits`` are those that were answered with it, ``cancels`` those that asked for it and may
    have had an effect. ``observations`` are the answers about it, in the order of asking, from
    before a fault took the memory that held it (``cut``, or ``OPEN_END``); ``late`` are those from
    after. ``unanswered`` is when the audit last asked for it and got no word about it, or -1.
    ``expires`` is from when on it may be forgotten as one that has ended, ``OPEN_END`` for never.
    """

    __slots__ = (
        "_first_terminal", "_order", "cancels", "cut", "expires", "id", "late", "observations",
        "submits", "unanswered",
    )  # fmt: skip

    def __init__(self, job_id: str) -> None:
        self.id = job_id
        self.submits: list[Operation] = []
        self.cancels: list[Operation] = []
        self.observations: list[Observation] = []
        self.late: list[Observation] = []
        self.cut = OPEN_END
        self.expires = OPEN_END
        self.unanswered = -1
        self._order: list[int] | None = None
        self._first_terminal: list[Observation] | None = None

    @property
    def order(self) -> list[int]:
        """The order of asking and answering, see :func:`observations.in_real_time`."""
        if self._order is None:
            self._order = in_real_time(self.observations)
        return self._order

    @property
    def accepted(self) -> Operation | None:
        """The submit that was the first to be answered with it."""
        if len(self.submits) == 1:
            return self.submits[0]
        return min(self.submits, key=lambda submit: submit.completed, default=None)

    @property
    def first_terminal(self) -> Observation | None:
        """The terminal observation that was answered first."""
        if self._first_terminal is None:
            terminal = [each for each in self.observations if each.terminal]
            self._first_terminal = sorted(terminal, key=_answered)[:1]
        return self._first_terminal[0] if self._first_terminal else None

    def may_have_expired(self, observation: Observation) -> bool:
        """Whether an answer may be that of a system which has forgotten the job by right."""
        return observation.what is Sign.NOT_FOUND and observation.op.completed >= self.expires

    @property
    def first_sight(self) -> int:
        """When an answer first showed that it exists; ``OPEN_END`` if none did."""
        return min(
            (
                each.op.completed
                for each in (*self.observations, *self.late)
                if each.what is not Sign.NOT_FOUND
            ),
            default=OPEN_END,
        )


class Index:
    """A history by jobs, request ids and scans.

    ``on_progress`` is called with how many operations are in it.
    """

    def __init__(self, history: History, on_progress: Callable[[int], None]) -> None:
        self.history = history
        self.jobs: dict[str, JobHistory] = {}
        self.submits: list[Operation] = []
        self.by_request: dict[str, list[Operation]] = {}
        self.scans: dict[Scan, list[Operation]] = {}
        self.losses = LossTimes(history.faults)
        for number, operation in enumerate(
            sorted(history.operations, key=lambda operation: operation.invoked)
        ):
            self._take(operation)
            if number % 50_000 == 0:
                on_progress(number)
        self._cut()
        if history.retention_us:
            expiry = Expiry(history)
            for job in self.jobs.values():
                job.expires = expiry.of(self, job)

    def job(self, job_id: str) -> JobHistory:
        """Return what is known of a job, at first nothing."""
        job = self.jobs.get(job_id)
        if job is None:
            job = self.jobs[job_id] = JobHistory(job_id)
        return job

    def _take(self, operation: Operation) -> None:
        asked = operation.asked
        if isinstance(asked, Submitted):
            self._take_submit(operation, asked)
            return
        answered = False
        for job_id, observation in observations_of(operation):
            self.job(job_id).observations.append(observation)
            answered = True
        if isinstance(asked, Page):
            if operation.outcome is CallOutcome.OK:
                self.scans.setdefault((operation.client, asked.scan), []).append(operation)
            return
        if operation.call == lines.CANCEL and operation.outcome is not CallOutcome.FAIL:
            self.job(asked).cancels.append(operation)
        if not answered and operation.client == AUDIT:
            self.job(asked).unanswered = operation.invoked

    def _take_submit(self, operation: Operation, asked: Submitted) -> None:
        self.submits.append(operation)
        if asked.request_id:
            self.by_request.setdefault(asked.request_id, []).append(operation)
        if operation.outcome is CallOutcome.OK and isinstance(operation.answer, str):
            self.job(operation.answer).submits.append(operation)

    def _cut(self) -> None:
        """Put aside what was answered once the memory that held a job may have been lost."""
        if not self.losses:
            return
        for job in self.jobs.values():
            born = min((submit.invoked for submit in job.submits), default=job.first_sight)
            job.cut = self.losses.of(job.id, born)
            if job.cut < OPEN_END:
                job.late = [each for each in job.observations if each.op.completed >= job.cut]
                job.observations = [
                    each for each in job.observations if each.op.completed < job.cut
                ]


def _answered(observation: Observation) -> int:
    return observation.op.completed
