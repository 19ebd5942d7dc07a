"""The owners and flows under random operations, clock jumps and duplicate or late reports."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from common.domain import lifecycle
from common.domain.errors import JobNotFinished, RequestIdReused, TaskQueueError
from common.domain.ids import IdMint
from common.domain.job import Execution, Failure, Job, JobSpec, JobState, Outcome
from common.flows.background import Background
from common.flows.coordinator import WorkCoordinator
from common.flows.public import OwnedTaskQueue
from common.owners.jobs import JobOwner
from common.owners.liveness import LivenessOwner
from common.owners.queue import QueueOwner
from common.owners.results import ResultOwner
from tests.support.owners import HandClock

TIMEOUT = 3.0
LEASE = 6.0
WORKERS = st.sampled_from(["worker-0", "worker-1", "worker-2"])


class Witness:
    """Observes every transition and checks it against the lifecycle table."""

    def __init__(self) -> None:
        self.cancelled_in_queue: set[str] = set()
        self.rejections = 0

    def transitioned(self, before: Job | None, after: Job) -> None:
        if before is None or before.state is not after.state:
            assert (before and before.state, after.state) in lifecycle.ALLOWED
        if before is not None:
            assert after.attempt >= before.attempt
            assert not before.state.terminal
            if before.state is JobState.QUEUED and after.state is JobState.CANCELED:
                self.cancelled_in_queue.add(after.id)
        if after.state is JobState.RUNNING:
            assert after.id not in self.cancelled_in_queue
        assert after.create_time <= (after.start_time or after.create_time)
        assert after.create_time <= (after.finish_time or after.create_time)

    def rejected(self, error: TaskQueueError) -> None:
        self.rejections += 1

    def redelivered(self, execution: Execution) -> None:
        assert execution.attempt >= 1


class TaskQueueMachine(RuleBasedStateMachine):
    """Clients, workers and time act at random; what must never happen is checked after each act."""

    jobs_known = Bundle("jobs_known")
    handed_out = Bundle("handed_out")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = HandClock()
        self.witness = Witness()
        self.jobs = JobOwner(IdMint(0, 7), self.clock, self.witness)
        self.queue = QueueOwner(self.clock, self.witness, LEASE, 1000, 1 << 20)
        results = ResultOwner(self.clock)
        background = Background()
        self.background = background
        self.client = OwnedTaskQueue(self.jobs, self.queue, results, background)
        self.liveness = LivenessOwner(self.clock, TIMEOUT)
        self.coordinator = WorkCoordinator(
            self.liveness, self.jobs, self.queue, results, LEASE, background
        )
        self.accepted: dict[str, JobSpec] = {}
        self.by_request: dict[str, tuple[JobSpec, str]] = {}
        self.terminal: dict[str, tuple[Job, bytes]] = {}
        self.outputs: dict[Execution, bytes] = {}
        self.serial = 0

    def run(self, work: Any) -> Any:
        """Run a coroutine and whatever it left in the background."""

        async def whole() -> Any:
            answer = await work
            await self.background.drain()
            return answer

        return self.loop.run(whole())

    def teardown(self) -> None:
        try:
            self._everything_ends_once_the_system_heals()
        finally:
            self.loop.close()

    # Clients

    @rule(
        target=jobs_known,
        kind=st.sampled_from(["noop", "sleep"]),
        request_id=st.sampled_from(["", "", "", "r1", "r2"]),
    )
    def submit(self, kind: str, request_id: str) -> Any:
        spec = JobSpec(kind, b"x")
        earlier = self.by_request.get(request_id) if request_id else None
        if earlier is not None and earlier[0] != spec:
            try:
                self.run(self.client.submit(spec, request_id))
            except RequestIdReused:
                return multiple()
            raise AssertionError("another job was accepted under a used request_id")
        job_id = self.run(self.client.submit(spec, request_id))
        if earlier is not None:
            assert job_id == earlier[1]
            return multiple()
        assert job_id not in self.accepted
        assert job_id > max(self.accepted, default="")
        self.accepted[job_id] = spec
        if request_id:
            self.by_request[request_id] = (spec, job_id)
        return job_id

    @rule(job_id=jobs_known)
    def cancel(self, job_id: str) -> None:
        before = self.run(self.client.status(job_id))
        after = self.run(self.client.cancel(job_id))
        if before.state is JobState.QUEUED:
            assert after.state is JobState.CANCELED
        elif before.state is JobState.RUNNING:
            assert after.state is JobState.RUNNING
            assert after.cancel_requested
        else:
            assert after == before

    @rule(job_id=jobs_known)
    def read_result(self, job_id: str) -> None:
        job = self.run(self.client.status(job_id))
        try:
            result = self.run(self.client.result(job_id))
        except JobNotFinished:
            assert not job.state.terminal
            return
        assert result.state is job.state
        assert result.failure == job.failure
        if job.state is JobState.DONE:
            assert result.output == self.outputs[Execution(job_id, job.attempt)]

    @rule(size=st.integers(1, 5), state=st.sampled_from([None, *JobState]))
    def list_pages(self, size: int, state: JobState | None) -> None:
        listed: list[Job] = []
        token = ""
        while True:
            page = self.run(self.client.list_jobs(state, "", size, token))
            listed += page.jobs
            token = page.next_page_token
            if not token:
                break
            assert len(page.jobs) == size
        ids = [job.id for job in listed]
        expected = [
            job_id
            for job_id in sorted(self.accepted, reverse=True)
            if state is None or self.run(self.client.status(job_id)).state is state
        ]
        assert ids == expected

    # Workers

    @rule(target=handed_out, worker=WORKERS, slots=st.integers(1, 3))
    def fetch(self, worker: str, slots: int) -> Any:
        assignments = self.run(self.coordinator.fetch(worker, slots, slots, 0.0))
        for assignment in assignments:
            job = self.run(self.client.status(assignment.execution.job_id))
            assert job.state is JobState.RUNNING
            assert job.worker == worker
            assert job.attempt == assignment.execution.attempt
            assert assignment.spec == self.accepted[job.id]
        return multiple(*((worker, assignment.execution) for assignment in assignments))

    @rule(
        held=handed_out,
        state=st.sampled_from([JobState.DONE, JobState.FAILED, JobState.CANCELED]),
    )
    def report(self, held: tuple[str, Execution], state: JobState) -> None:
        self._report(*held, state)

    @rule(held=consumes(handed_out))
    def give_back(self, held: tuple[str, Execution]) -> None:
        worker, execution = held
        self.run(self.coordinator.report(worker, [], [execution]))

    @rule(held=handed_out)
    def heartbeat(self, held: tuple[str, Execution]) -> None:
        worker, execution = held
        before = self.run(self.client.status(execution.job_id))
        reply = self.run(self.coordinator.heartbeat(worker, 3, [execution]))
        mine = before.attempt == execution.attempt
        to_cancel = mine and before.cancel_requested and not before.state.terminal
        assert (execution in reply.drop) == (not mine)
        assert (execution in reply.cancel) == to_cancel

    @rule(worker=WORKERS)
    def heartbeat_of_a_worker_that_holds_nothing(self, worker: str) -> None:
        reply = self.run(self.coordinator.heartbeat(worker, 3, []))
        assert (reply.cancel, reply.drop) == ([], [])

    # Time

    @rule(seconds=st.sampled_from([0.0, 0.1, TIMEOUT / 2, TIMEOUT * 1.1, LEASE * 1.1, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.time += int(seconds * 1_000_000)

    @rule()
    def inspect(self) -> None:
        self.run(self.coordinator.inspect())

    # What must hold

    @invariant()
    def no_job_is_forgotten(self) -> None:
        counts = self.jobs.counts()
        assert sum(counts.values()) == len(self.accepted)
        unfinished = counts[JobState.QUEUED] + counts[JobState.RUNNING]
        assert self.queue.depth() + self.queue.leased() >= unfinished

    @invariant()
    def terminal_states_and_results_never_change(self) -> None:
        for job_id, (job, output) in self.terminal.items():
            assert self.run(self.client.status(job_id)) == job
            assert self.run(self.client.result(job_id)).output == output
        for job_id in self.accepted.keys() - self.terminal.keys():
            job = self.run(self.client.status(job_id))
            if job.state.terminal:
                self.terminal[job_id] = (job, self.run(self.client.result(job_id)).output)

    def _report(self, worker: str, execution: Execution, state: JobState) -> None:
        before = self.run(self.client.status(execution.job_id))
        self.serial += 1
        output = str(self.serial).encode() if state is JobState.DONE else b""
        failure = Failure("X", "x") if state is JobState.FAILED else None
        if state is JobState.DONE:
            self.outputs.setdefault(execution, output)
        reply = self.run(
            self.coordinator.report(worker, [(execution, Outcome(state, output, failure))])
        )
        (verdict,) = reply.verdicts
        after = self.run(self.client.status(execution.job_id))
        current = before.state is JobState.RUNNING and before.attempt == execution.attempt
        wanted = state is not JobState.CANCELED or before.cancel_requested
        assert (verdict is None) == (current and wanted)
        assert after.state is (state if verdict is None else before.state)

    def _everything_ends_once_the_system_heals(self) -> None:
        self.clock.time += int(3 * LEASE * 1_000_000)
        self.run(self.coordinator.inspect())
        for _ in range(len(self.accepted) + 1):
            assignments = self.run(self.coordinator.fetch("healer", 9, 9, 0.0))
            for assignment in assignments:
                self._report("healer", assignment.execution, JobState.DONE)
        self.run(self.coordinator.inspect())
        counts = self.jobs.counts()
        assert counts[JobState.QUEUED] == counts[JobState.RUNNING] == 0
        assert self.queue.depth() == self.queue.leased() == 0


TaskQueueMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestTaskQueue = TaskQueueMachine.TestCase
