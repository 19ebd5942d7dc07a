"""A queue that counts what it is asked, a cache in a dictionary, and a cached queue over both."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from common.cache.keeping import Keeping
from common.cache.queue import CachedTaskQueue
from common.domain.errors import JobNotFinished, JobNotFound
from common.domain.ids import IdMint
from common.domain.job import Failure, Job, JobResult, JobSpec, JobState
from common.domain.paging import JobPage
from tests.support.owners import HandClock


class Owner:
    """A queue whose jobs a test moves by hand."""

    def __init__(self, clock: HandClock) -> None:
        self.asked: Counter[str] = Counter()
        self.jobs: dict[str, Job] = {}
        self.output = b"output"
        self._clock = clock
        self._mint = IdMint(0, 1)

    def accept(self) -> str:
        job_id = self._mint.next(self._clock.now())
        self.jobs[job_id] = Job(job_id, "noop", JobState.QUEUED, self._clock.now())
        return job_id

    def end(self, job_id: str, state: JobState = JobState.DONE, attempt: int = 1) -> None:
        now = self._clock.now()
        failure = Failure("X", "x") if state is JobState.FAILED else None
        self.jobs[job_id] = replace(
            self.jobs[job_id], state=state, attempt=attempt, finish_time=now, failure=failure
        )

    async def submit(self, spec: JobSpec, request_id: str = "") -> str:
        return self.accept()

    async def status(self, job_id: str) -> Job:
        self.asked["status"] += 1
        if job_id not in self.jobs:
            raise JobNotFound(job_id)
        return self.jobs[job_id]

    async def result(self, job_id: str) -> JobResult:
        self.asked["result"] += 1
        job = self.jobs.get(job_id)
        if job is None:
            raise JobNotFound(job_id)
        if not job.state.terminal:
            raise JobNotFinished(job_id, job.state.name)
        output = self.output if job.state is JobState.DONE else b""
        return JobResult(job.state, output, job.failure)

    async def cancel(self, job_id: str) -> Job:
        self.end(job_id, JobState.CANCELED)
        return self.jobs[job_id]

    async def list_jobs(
        self, state: JobState | None, kind: str, page_size: int, page_token: str
    ) -> JobPage:
        return JobPage(tuple(self.jobs.values()), "")


class Kept(dict[str, bytes]):
    """A cache that never forgets: only what is written in a value says that its time is over."""

    async def get(self, key: str) -> bytes | None:  # type: ignore[override]
        return super().get(key)

    def put(self, key: str, value: bytes, milliseconds: int) -> None:
        assert milliseconds > 0
        self[key] = value


class Seen:
    """Counts what came of looking in the cache."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def looked(self, answer: str, *, hit: bool) -> None:
        self.counts["hit" if hit else "miss"] += 1

    def failed(self, kind: str) -> None:
        self.counts[kind] += 1


class Bench:
    """A cached queue and what it is made of."""

    def __init__(self, retention: float = 0.0, durability: str = "none") -> None:
        self.clock = HandClock()
        self.owner = Owner(self.clock)
        self.kept = Kept()
        self.seen = Seen()
        keeping = Keeping(self.clock, retention, durability)
        self.queue = CachedTaskQueue(self.owner, self.kept, keeping, self.seen)
