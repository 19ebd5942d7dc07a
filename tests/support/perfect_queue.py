"""A queue that keeps every promise: records that calls read and change at single moments."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable

from msgspec.structs import replace
from sortedcontainers import SortedList

from common.domain.ids import IdMint, parse
from testbed.record.history.messages import digest
from testbed.record.history.model import Listed, Page, Result, Seen, Submitted

NODES = 6
SLOTS = 12
TERMINAL = ("DONE", "FAILED", "CANCELED")
UNIX_US = 1_700_000_000_000_000

Later = Callable[[int, Callable[[], None]], None]


class Refused(Exception):
    """A definite refusal: code and reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class PerfectQueue:
    """Like Design B, jobs have homes whose clocks differ a little.

    ``clock`` is the time in microseconds; ``later`` calls something after that many of them.
    """

    def __init__(
        self, rng: random.Random, clock: Callable[[], int], later: Later, crash: float
    ) -> None:
        self._rng = rng
        self._clock = clock
        self._later = later
        self._crash = crash
        self._mints = [IdMint(home, rng.getrandbits(20)) for home in range(NODES)]
        self._skew = [rng.randrange(-3000, 3000) for _ in range(NODES)]
        self.jobs: dict[str, Seen] = {}
        self._ids: dict[tuple[str, str], SortedList] = {}
        self._waiting: deque[str] = deque()
        self._free = SLOTS
        self._requests: dict[str, tuple[str, str]] = {}
        self._request_of: dict[str, str] = {}
        self._dependents: dict[str, int] = {}

    def submit(self, asked: Submitted) -> str:
        """Make a record, or find that of the request id; it waits until it is enqueued."""
        known = self._requests.get(asked.request_id)
        if known is not None:
            job_id, its_digest = known
            if its_digest != asked.digest:
                raise Refused("FAILED_PRECONDITION", "REQUEST_ID_REUSED")
            self._dependents[job_id] += 1
            return job_id
        home = home_of(asked.request_id) if asked.request_id else self._rng.randrange(NODES)
        time = UNIX_US + self._clock() + self._skew[home]
        job_id = self._mints[home].next(time)
        if asked.request_id:
            self._requests[asked.request_id] = job_id, asked.digest
            self._request_of[job_id] = asked.request_id
        self._dependents[job_id] = 1
        self._put(Seen(job_id, asked.kind, "QUEUED", 0, create_us=parse(job_id).time))
        return job_id

    def enqueue(self, job_id: str) -> None:
        """Let a job wait for a slot; doing it again changes nothing."""
        self._waiting.append(job_id)
        self._later(self._rng.randrange(3000), self._dispatch)

    def withdraw(self, job_id: str) -> None:
        """Forget a job that waits and on which nobody else relies."""
        job = self.jobs.get(job_id)
        if job is not None and job.state == "QUEUED":
            self._dependents[job_id] -= 1
            if not self._dependents[job_id]:
                self._forget(job_id)

    def status(self, job_id: str) -> Seen:
        """Return a record."""
        if job_id not in self.jobs:
            raise Refused("NOT_FOUND", "JOB_NOT_FOUND")
        return self.jobs[job_id]

    def result(self, job_id: str) -> Result:
        """Return what a job produced."""
        job = self.status(job_id)
        if job.state not in TERMINAL:
            raise Refused("FAILED_PRECONDITION", "JOB_NOT_FINISHED")
        output = job_id.encode() if job.state == "DONE" else b""
        return Result(job.state, digest(output), job.failure)

    def cancel(self, job_id: str) -> Seen:
        """Cancel a job as far as its state allows."""
        job = self.status(job_id)
        if job.state == "QUEUED":
            finish = max(self._time(job_id), job.create_us or 0)
            self._put(replace(job, state="CANCELED", cancel_requested=True, finish_us=finish))
        elif job.state == "RUNNING":
            self._put(replace(job, cancel_requested=True))
        return self.jobs[job_id]

    def page(self, asked: Page, before: str) -> Listed:
        """Return the page of the jobs that are older than ``before``."""
        limit = min(asked.page_size, 1000) or 50
        matching = [
            ids.irange(maximum=before or None, inclusive=(True, False), reverse=True)
            for (state, kind), ids in self._ids.items()
            if asked.state in ("", state) and asked.kind in ("", kind)
        ]
        newest = heapq.merge(*matching, reverse=True)
        found = [self.jobs[job_id] for _, job_id in zip(range(limit + 1), newest, strict=False)]
        return Listed(tuple(found[:limit]), len(found) > limit)

    def kill(self, home: int) -> None:
        """Forget all that a node holds."""
        for job_id in [each for each in self.jobs if parse(each).home == home]:
            self._forget(job_id)

    def _dispatch(self) -> None:
        while self._free and self._waiting:
            job_id = self._waiting.popleft()
            if job_id in self.jobs and self.jobs[job_id].state == "QUEUED":
                self._free -= 1
                self._start(job_id)

    def _start(self, job_id: str) -> None:
        job = self.jobs.get(job_id)
        if job is None or job.state in TERMINAL:
            self._release()
            return
        # Where leases run out, that of an attempt that nobody saw may have.
        attempt = job.attempt + (self._rng.choice((1, 1, 1, 2)) if self._crash else 1)
        worker = f"worker-{self._rng.randrange(6)}"
        start = max(self._time(job_id), job.create_us or 0)
        self._put(replace(job, state="RUNNING", attempt=attempt, worker=worker, start_us=start))
        # A lease that runs out: the job is run again.
        then = self._start if self._rng.random() < self._crash else self._end
        self._later(self._rng.randrange(200, 20_000), lambda: then(job_id))

    def _end(self, job_id: str) -> None:
        self._release()
        job = self.jobs.get(job_id)
        if job is None or job.state in TERMINAL:
            return
        state = "FAILED" if self._rng.random() < 0.1 else "DONE"
        state = "CANCELED" if job.cancel_requested and self._rng.random() < 0.8 else state
        finish = max(self._time(job_id), job.start_us or 0)
        failure = "ON_PURPOSE: it had to" if state == "FAILED" else ""
        self._put(replace(job, state=state, finish_us=finish, failure=failure))

    def _release(self) -> None:
        self._free += 1
        self._later(0, self._dispatch)

    def _time(self, job_id: str) -> int:
        return UNIX_US + self._clock() + self._skew[parse(job_id).home]

    def _forget(self, job_id: str) -> None:
        job = self.jobs.pop(job_id)
        self._ids[job.state, job.kind].remove(job_id)
        if job_id in self._request_of:
            del self._requests[self._request_of.pop(job_id)]

    def _put(self, job: Seen) -> None:
        before = self.jobs.get(job.job_id)
        self.jobs[job.job_id] = job
        if before is not None:
            if before.state == job.state:
                return
            self._ids[before.state, before.kind].remove(job.job_id)
        self._ids.setdefault((job.state, job.kind), SortedList()).add(job.job_id)


def home_of(request_id: str) -> int:
    """Return the home of all submits with a request id."""
    return int(digest(request_id.encode()), 16) % NODES
