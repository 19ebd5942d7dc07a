"""The users: what each does, one call at a time.

A task makes one call and Locust pauses between tasks, so that a test stops promptly whatever a
user is in the middle of.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from gevent import GreenletExit
from locust import User, tag, task
from locust.exception import StopUser

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from taskqueue_load.arrivals import Arrivals
from taskqueue_load.client import TaskQueueClient
from taskqueue_load.outcome import CallError
from taskqueue_load.session import Session

LIST_STATES = (
    pb.JOB_STATE_QUEUED,
    pb.JOB_STATE_RUNNING,
    pb.JOB_STATE_DONE,
    pb.JOB_STATE_FAILED,
    pb.JOB_STATE_CANCELED,
)
PAGE_SIZES = (10, 50)
# Somebody who looks for a job turns a few pages, not all of them.
MAX_PAGES = 3
# Longer than any test; Locust ends a user that pauses at once.
_FOREVER = 10.0**8


class TaskQueueUser(User):
    """Base of all users: has a client, the jobs to submit and a random generator of its own.

    ``choices`` decides what the user does next and is drawn from once for each step, so a user's
    operations depend on the seed and its number alone, not on what the server answers; everything
    else is drawn from ``details``.

    In a closed loop a user makes one call after the other. In an open loop (``--rate``) it is a
    source, among which the calls that are due are dealt in turn: then several of its tasks may be
    under way at once, so what a task keeps for later ones has to bear that.
    """

    abstract = True
    session = Session()
    _stopped = False
    # Until the user has joined a test.
    _arrivals: Arrivals | None = None

    def on_start(self) -> None:
        """Join the test that is running."""
        run = self.session.run
        if run is None:  # the test could not be started; the reason is in the log
            raise GreenletExit  # which Locust, unlike StopUser here, does not log as a defect
        number, name = run.next_user()
        self.name = name
        self.choices = random.Random(f"{run.options.seed}/{name}/choices")
        self.details = random.Random(f"{run.options.seed}/{name}/details")
        self._client = TaskQueueClient(
            self.environment.events.request,
            run.recorder,
            run.pool,
            number,
            run.options.deadline,
            name,
            run.history,
        )
        self._jobs = run.jobs
        self._arrivals = run.arrivals
        self._think_time = run.options.think_time
        self._operations: Sequence[Any] = type(self).tasks
        # Locust would choose a task with a generator that all users share.
        self.tasks = [type(self).take_turn]

    def on_stop(self) -> None:
        """Get no more turns."""
        if self._arrivals is not None:
            self._arrivals.remove(self)

    def take_turn(self) -> None:
        """Make the next call; in an open loop, be there to be given turns."""
        if self._arrivals is None:
            self.next_operation()
        else:
            self._arrivals.add(self)

    def next_operation(self) -> None:
        """Make one call, chosen by weight from this user's own sequence."""
        operation = self._operations[int(self.choices.random() * len(self._operations))]
        operation(self)

    def failed(self, error: Exception) -> None:
        """Report to Locust a defect in a task that it did not start itself."""
        events: Any = self.environment.events  # without types
        events.user_error.fire(user_instance=self, exception=error, tb=error.__traceback__)

    @property
    def client(self) -> TaskQueueClient:
        """The calls that this user can make; raises ``StopUser`` once it was asked to stop."""
        if self._stopped:
            raise StopUser
        return self._client

    def stop(self, force: bool = False) -> bool:
        """Stop as Locust does, and begin no other call.

        Locust kills a user that pauses; one whose pause is over by the time the kill arrives would
        lose the call that it has begun, and with it perhaps an accepted job. One that is asked
        again, as when a Ctrl-C reaches a worker and its master, is stopping already.
        """
        if self._stopped and not force:
            return False
        self._stopped = True
        return bool(super().stop(force))

    def wait_time(self) -> float:
        """Return the pause before the next task, in seconds; in an open loop there is none."""
        if self._arrivals is not None:
            return _FOREVER
        return self._think_time * (0.5 + self.details.random())

    def submit_job(self) -> str | None:
        """Submit a job and return its id, or ``None`` if it was not accepted."""
        reply = self.client.submit(self._jobs.build(self.details.random()))
        return None if isinstance(reply, CallError) else reply.job_id


class SubmitUser(TaskQueueUser):
    """Submits one job after the other."""

    @tag("submit")
    @task
    def submit(self) -> None:
        """Submit a job."""
        self.submit_job()


@dataclass(slots=True)
class Life:
    """A job that is followed, and whether it has ended; without an id it is yet to be submitted."""

    job_id: str | None = None
    ended: bool = False


class LifecycleUser(TaskQueueUser):
    """Submits a job, asks for its status until it has ended, reads its result, starts again.

    In an open loop it follows as many jobs as it has calls in flight, and of those that wait for
    none the one that has waited longest is next.
    """

    def on_start(self) -> None:
        """Begin without a job."""
        super().on_start()
        self._idle: deque[Life] = deque()

    @task
    def step(self) -> None:
        """Make the next call of a job's life."""
        life = self._idle.popleft() if self._idle else Life()
        try:
            self._live(life)
        finally:
            self._idle.append(life)

    def _live(self, life: Life) -> None:
        if life.job_id is None:
            life.job_id, life.ended = self.submit_job(), False
        elif life.ended:
            self._read_result(life, life.job_id)
        else:
            self._follow(life, life.job_id)

    def _follow(self, life: Life, job_id: str) -> None:
        reply = self.client.status(job_id)
        if not isinstance(reply, CallError):
            life.ended = reply.status.state >= pb.JOB_STATE_DONE
        elif reply.definite:
            life.job_id = None

    def _read_result(self, life: Life, job_id: str) -> None:
        reply = self.client.result(job_id)
        if not isinstance(reply, CallError) or reply.definite:
            life.job_id = None


@dataclass(slots=True)
class RememberedJob:
    """A job that a user submitted, and whether it has canceled it."""

    job_id: str
    canceled: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing that a user goes through: what to ask for next, its name, and which page that is.

    The request must not be changed.
    """

    request: pb.ListJobsRequest
    scan: str
    page: int = 0

    def turned(self, token: str) -> Listing:
        """Return the listing at its next page."""
        request = pb.ListJobsRequest()
        request.CopyFrom(self.request)
        request.page_token = token
        return Listing(request, self.scan, self.page + 1)


class MixedUser(TaskQueueUser):
    """Makes all five calls, by the weights of ``--mix``; remembers its jobs and asks for those."""

    _allowed: ClassVar[dict[str, Any]] = {}
    _weighted: ClassVar[list[Any] | None] = None

    def on_start(self) -> None:
        """Begin with nothing remembered."""
        super().on_start()
        run = self.session.run
        if run is None:
            raise GreenletExit
        self._remembered: deque[RememberedJob] = deque(maxlen=run.options.remember)
        self._listing: Listing | None = None
        self._listings = 0
        self._kind = run.options.kind

    @classmethod
    def weigh(cls, weights: Mapping[str, int]) -> None:
        """Repeat each task by the weight of its tag, which is how Locust weighs tasks.

        Tasks that ``--tags`` or the class picker took away stay away. Raises ``ValueError`` if
        none is left.
        """
        if cls.tasks is not cls._weighted:
            tasks: Sequence[Any] = cls.tasks
            cls._allowed = {name: each for each in tasks for name in each.locust_tag_set}
        weighted = [
            each for name, each in cls._allowed.items() for _ in range(weights.get(name, 0))
        ]
        if not weighted:
            raise ValueError(f"--mix has no weight for any of {', '.join(cls._allowed) or 'none'}")
        cls.tasks = cls._weighted = weighted

    @tag("submit")
    @task
    def submit(self) -> None:
        """Submit a job and remember it."""
        job_id = self.submit_job()
        if job_id is not None:
            self._remembered.append(RememberedJob(job_id))

    @tag("status")
    @task
    def status(self) -> None:
        """Ask for the status of a remembered job."""
        if (job := self._recall()) is not None:
            self.client.status(job.job_id)

    @tag("result")
    @task
    def result(self) -> None:
        """Ask for the result of a remembered job."""
        if (job := self._recall()) is not None:
            self.client.result(job.job_id)

    @tag("cancel")
    @task
    def cancel(self) -> None:
        """Cancel a remembered job."""
        if (job := self._recall()) is None:
            return
        if not isinstance(self.client.cancel(job.job_id, again=job.canceled), CallError):
            job.canceled = True

    @tag("list")
    @task
    def list_jobs(self) -> None:
        """Ask for the next page of a listing, or for the first page of a new one."""
        # Taken, so that in an open loop no two tasks turn the same page.
        listing, self._listing = self._listing or self._new_listing(), None
        reply = self.client.list_jobs(listing.request, listing.scan, listing.page)
        if isinstance(reply, CallError) or not reply.next_page_token:
            return
        if listing.page + 1 < MAX_PAGES:
            self._listing = listing.turned(reply.next_page_token)

    def _recall(self) -> RememberedJob | None:
        """Return a remembered job; with none there is nothing to ask for, so submit one instead."""
        place = self.details.random()
        if self._remembered:
            return self._remembered[int(place * len(self._remembered))]
        self.submit()
        return None

    def _new_listing(self) -> Listing:
        """Draw a listing: one in three by state, one in three by kind, the others of all jobs."""
        self._listings += 1
        draw, place = self.details.random(), self.details.random()
        request = pb.ListJobsRequest(page_size=PAGE_SIZES[int(place * len(PAGE_SIZES))])
        if draw < 1 / 3:
            request.state = LIST_STATES[int(self.details.random() * len(LIST_STATES))]
        elif draw < 2 / 3:
            request.kind = self._kind
        return Listing(request, f"{self.name}/{self._listings}")
