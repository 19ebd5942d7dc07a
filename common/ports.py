"""What the flows need from the outside, as protocols.

Design A plugs in gRPC clients, Design B the owners themselves. Methods that move several items
answer in the order of their argument, with an error in the place of each item that could not be
served; they raise only if the whole call failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from common.domain.errors import TaskQueueError
from common.domain.job import (
    Assignment,
    Execution,
    Failure,
    Job,
    JobResult,
    JobSpec,
    JobState,
    Outcome,
)
from common.domain.paging import JobPage, JobQuery


class Clock(Protocol):
    """The one clock of an owner."""

    def now(self) -> int:
        """Microseconds since the Unix epoch; never goes back."""
        ...


@dataclass(frozen=True, slots=True)
class NewJob:
    """A record to create; ``digest`` is empty without a request id.

    ``submit_id`` distinguishes submits, so that one whose message arrives twice makes one record;
    without it each makes one.
    """

    kind: str
    request_id: str = ""
    digest: bytes = b""
    submit_id: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """A step for one execution: RUNNING with its worker, or a terminal state."""

    execution: Execution
    target: JobState
    worker: str = ""
    failure: Failure | None = None


class Jobs(Protocol):
    """Job metadata and state."""

    async def create(self, jobs: Sequence[NewJob]) -> list[Job | TaskQueueError]:
        """Create records in state QUEUED, or find the earlier one of each request id."""
        ...

    async def get(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Read records."""
        ...

    async def page(self, query: JobQuery) -> list[Job]:
        """Read up to ``query.limit`` records, newest first."""
        ...

    async def transition(self, steps: Sequence[Transition]) -> list[Job | TaskQueueError]:
        """Take steps of the lifecycle table."""
        ...

    async def set_cancel_requested(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Cancel queued jobs and mark running ones; terminal ones stay as they are."""
        ...

    async def withdraw(self, submit_id: str, job_id: str = "") -> Job | TaskQueueError | None:
        """Take back a submit that was not accepted; returns its record as it is afterwards.

        A job that waits, and on which no other submit relies, is forgotten, and returned as
        CANCELED. Without ``job_id`` the submit is withdrawn from the job that it made, or makes
        none any more, and the answer is ``None``.
        """
        ...

    async def forget(self, job_ids: Sequence[str]) -> list[Job | TaskQueueError]:
        """Forget jobs that wait and that the queue keeps out, whichever submits rely on them.

        They are returned as CANCELED, others as they are.
        """
        ...


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A job to put into the queue."""

    job_id: str
    spec: JobSpec
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class Dequeued:
    """What was leased, and which renewals found their lease ended."""

    assignments: list[Assignment]
    lost: list[Execution]


class Queue(Protocol):
    """Queue membership."""

    async def enqueue(self, entries: Sequence[NewEntry]) -> list[TaskQueueError | None]:
        """Add jobs at the end; one that is present stays where it is."""
        ...

    async def dequeue(
        self,
        max_jobs: int,
        max_wait: float = 0.0,
        renew: Sequence[Execution] = (),
        release: Sequence[Execution] = (),
        remove: Sequence[str] = (),
    ) -> Dequeued:
        """Renew and release leases and remove jobs at once; then lease, waiting if there is none.

        The wait is up to ``max_wait`` seconds.
        """
        ...

    async def remove(self, job_ids: Sequence[str]) -> list[bool]:
        """Remove jobs, leased or not; returns which were present."""
        ...

    async def keep_out(self, job_ids: Sequence[str]) -> list[bool]:
        """Refuse from now on the jobs that are not present; returns which those are."""
        ...


class Results(Protocol):
    """Result payloads."""

    async def store(self, results: Sequence[tuple[Execution, bytes]]) -> list[bool]:
        """Store outputs; the first write of an execution wins. Returns which were stored."""
        ...

    async def get(self, executions: Sequence[Execution]) -> list[bytes | TaskQueueError]:
        """Read outputs."""
        ...


@dataclass(frozen=True, slots=True)
class Submission:
    """A record to create, and what its queue entry holds."""

    job: NewJob
    spec: JobSpec
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What came of each report, of what was leased, and of each start of that."""

    ends: list[Job | TaskQueueError]
    leased: list[Assignment]
    starts: list[Job | TaskQueueError]


class SharedState(Protocol):
    """Steps over jobs, queue and results together, where one store has all three."""

    async def accept(self, submissions: Sequence[Submission]) -> list[Job | TaskQueueError]:
        """Create records and enqueue them, of each both or neither.

        One whose request id was met before finds the earlier record, which is enqueued if it waits
        and is not in the queue.
        """
        ...

    async def exchange(
        self,
        worker: str,
        reports: Sequence[tuple[Execution, Outcome]],
        max_jobs: int,
        remove: Sequence[str] = (),
    ) -> Exchanged:
        """Store outputs, end jobs, remove their entries; then lease entries and start their jobs.

        The entry of a job that is not ended by its report stays, as does that of one that does not
        start. It does not wait for entries, and may leave those of reported jobs to the next step.
        ``remove`` names jobs whose entries go too.
        """
        ...


@dataclass(frozen=True, slots=True)
class HeartbeatReply:
    """Executions to stop because of a cancel, and executions that are no longer the worker's."""

    cancel: list[Execution]
    drop: list[Execution]


@dataclass(frozen=True, slots=True)
class ReportReply:
    """A verdict for each report, ``None`` if it was taken, and the next jobs."""

    verdicts: list[TaskQueueError | None]
    assignments: list[Assignment]


class Coordinator(Protocol):
    """What a worker talks to."""

    async def heartbeat(self, worker: str, slots: int, held: Sequence[Execution]) -> HeartbeatReply:
        """Report that the worker is alive and what it holds."""
        ...

    async def fetch(
        self, worker: str, slots: int, max_jobs: int, max_wait: float
    ) -> list[Assignment]:
        """Take up to ``max_jobs`` jobs, waiting up to ``max_wait`` seconds for the first."""
        ...

    async def report(
        self,
        worker: str,
        reports: Sequence[tuple[Execution, Outcome]],
        returned: Sequence[Execution] = (),
        slots: int = 0,
        max_jobs: int = 0,
    ) -> ReportReply:
        """Report outcomes, and give executions back unfinished.

        Takes up to ``max_jobs`` jobs with the answer, if there are any without waiting for them.
        """
        ...


class TaskQueue(Protocol):
    """The public contract in terms of the domain. Every method raises ``TaskQueueError``."""

    async def submit(self, spec: JobSpec, request_id: str = "") -> str:
        """Accept a job and return its id."""
        ...

    async def status(self, job_id: str) -> Job:
        """Return the job's record."""
        ...

    async def result(self, job_id: str) -> JobResult:
        """Return what the terminal job produced."""
        ...

    async def cancel(self, job_id: str) -> Job:
        """Cancel the job as far as its state allows and return its record."""
        ...

    async def list_jobs(
        self, state: JobState | None, kind: str, page_size: int, page_token: str
    ) -> JobPage:
        """Return one page of jobs, newest first."""
        ...


class Kinds(Protocol):
    """The kinds of job that can be accepted."""

    def check(self, spec: JobSpec) -> None:
        """Raise ``UnknownKind`` or ``UnreadablePayload`` unless a handler can take the job."""
        ...


class JobCounts(Protocol):
    """What gauges show of the jobs."""

    def counts(self) -> Mapping[JobState, int]:
        """Number of jobs in each state."""
        ...


class QueueGauges(Protocol):
    """What gauges show of the queue."""

    def depth(self) -> int:
        """Number of entries that wait, leased ones not counted."""
        ...

    def leased(self) -> int:
        """Number of entries that are leased."""
        ...

    def oldest_age(self) -> float:
        """Seconds that the first in line has waited; 0 if none waits."""
        ...


class JobObserver(Protocol):
    """Observes the job owner, for metrics and logs."""

    def transitioned(self, before: Job | None, after: Job) -> None:
        """A job was created (no ``before``) or took a step."""
        ...

    def rejected(self, error: TaskQueueError) -> None:
        """A step was rejected."""
        ...


class QueueObserver(Protocol):
    """Observes the queue owner."""

    def redelivered(self, execution: Execution) -> None:
        """A lease ended without acknowledgement; the job will run again."""
        ...


class StoreObserver(Protocol):
    """Observes what is asked of a store outside the process, for metrics."""

    def asked(self, operation: str, seconds: float) -> None:
        """One round trip ended, with an answer or without."""
        ...

    def failed(self, reason: str) -> None:
        """The store did not do what it was asked; ``reason`` is that of the error."""
        ...

    def connected(self, store: str, address: str) -> None:
        """A connection was made to the server of a store, or its primary, at ``host:port``."""
        ...


class Liveness(Protocol):
    """Worker liveness and dispatch; its owner always sits in the coordinator's own process."""

    def seen(self, worker: str, slots: int) -> None:
        """Note a sign of life."""
        ...

    def assign(self, worker: str, executions: Iterable[Execution]) -> None:
        """Note what was handed to a worker that was seen before."""
        ...

    def reconcile(self, worker: str, reported: Iterable[Execution]) -> list[Execution]:
        """Take over what a seen worker reports to hold; returns what it never received."""
        ...

    def settle(self, worker: str, executions: Iterable[Execution]) -> None:
        """Note that executions have ended or were given back."""
        ...

    def expire(self) -> dict[str, list[Execution]]:
        """Forget the workers whose heartbeat timed out; returns what each of them held."""
        ...

    def until_next_expiry(self) -> float | None:
        """Seconds until a silent worker times out; ``None`` while there is no worker."""
        ...

    def held(self) -> list[Execution]:
        """Everything that living workers hold."""
        ...
