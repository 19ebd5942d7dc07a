"""Both designs under each kind of fault: what was accepted is done, and healing needs no help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from common.gen.taskqueue.v1.task_queue_service_pb2 import (
    GetJobStatusRequest,
    SubmitJobRequest,
)
from common.gen.testbed.links.v1 import link_service_pb2 as pb
from common.stack_spec import StackSpec
from testbed.drive.scraper import read_page
from testbed.runs.faults import registry
from testbed.runs.faults.heal import heal_all
from testbed.stack import records as stacks
from testbed.stack import runtimes
from testbed.stack.runtimes.controls import Controls
from testbed.stack.runtimes.links import Links
from testbed.stack.runtimes.local import LocalRuntime
from tests.support import jobs, needs
from tests.support.client import (
    CANCELED,
    DONE,
    QUEUED,
    RUNNING,
    Calls,
    Client,
    Rejection,
    read_error,
    rejection_of,
)
from tests.support.stacks import SLOTS, TOPOLOGIES, shifted
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

# Sooner than usual, and yet late enough for a machine that has much else to do.
QUICK = {"heartbeat_interval": "0.2", "heartbeat_timeout": "2", "lease": "4"}
WITHIN = 60.0
# Seconds that a call may take which is not going to be answered.
BRIEF = 1.0
NO_ANSWER = {"UNAVAILABLE", "DEADLINE_EXCEEDED"}


@dataclass
class Broken:
    """A stack with two workers or six nodes that a test breaks, and what it breaks it with."""

    design: str
    controls: Controls
    client: Client

    def inject(self, kind: str, target: str, **parameters: float) -> Callable[[], None]:
        """Do it, and return what undoes it."""
        chosen = registry.get(kind)
        hit = chosen.target(StackSpec(workers=2).scaled(TOPOLOGIES[self.design]), target)
        chosen.inject(self.controls, hit, chosen.read(parameters))
        return lambda: chosen.heal(self.controls, hit)

    def link(self, name: str) -> pb.Link:
        """Return a link as it is now."""
        links = Links.of(self.controls.record).all()
        return {f"{each.caller}>{each.callee}": each for each in links}[name]

    def metrics(self, process: str) -> str:
        """Return what a process says of itself."""
        return read_page(self.controls.record.metrics[process])

    def log(self, process: str) -> str:
        """Return the log of a process."""
        return Path(stacks.log_file(self.design, process)).read_text()

    def run_all(self, count: int = 24) -> None:
        """See that the stack takes jobs and does them, with nobody's help."""
        accepted = [eventually(self._submit, within=WITHIN, what="a submit") for _ in range(count)]
        assert {self.client.wait(each, within=WITHIN).state for each in accepted} == {DONE}

    def _submit(self) -> str:
        try:
            return self.client.submit(jobs.sleep(5))
        except grpc.RpcError as error:
            if read_error(error).code not in NO_ANSWER:
                raise
            return ""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Broken]]:
    """Gives the stack of a design, started once, with links, and clocks where they can be set."""
    found: dict[str, Broken] = {}
    runtime = LocalRuntime(start_timeout=90)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(stacks.HOME_VARIABLE, str(tmp_path_factory.mktemp("faults")))

        def give(design: str) -> Broken:
            if design not in found:
                jumps = not needs.missing("libfaketime")
                spec = StackSpec(SLOTS, 2, settings=QUICK, links=True, clock=jumps)
                record = runtime.up(shifted(TOPOLOGIES[design]), spec, runtimes.silent)
                found[design] = Broken(design, runtime.controls(record), Client(record.endpoints))
            return found[design]

        yield give
        for each in found.values():
            each.client.close()
            runtime.down(each.design, runtimes.silent)


@pytest.fixture
def a(running: Callable[[str], Broken]) -> Iterator[Broken]:
    """Design A, whole before and after the test."""
    yield from whole(running("a"))


@pytest.fixture
def b(running: Callable[[str], Broken]) -> Iterator[Broken]:
    """Design B, whole before and after the test."""
    yield from whole(running("b"))


def whole(broken: Broken) -> Iterator[Broken]:
    """Give a stack that is whole, and see that it was healed."""
    broken.run_all(2)
    try:
        yield broken
        assert list(heal_all(broken.controls)) == []
    finally:
        list(heal_all(broken.controls))


def test_jobs_of_a_killed_worker_are_done_by_others(a: Broken) -> None:
    running = [a.client.submit(jobs.sleep(8_000)) for _ in range(SLOTS)]
    held = {job: a.client.wait(job, RUNNING).worker for job in running}
    assert "worker-1" in held.values()

    heal = a.inject("kill", "worker-1")

    for job in running:
        status = a.client.wait(job, within=WITHIN)
        assert status.state == DONE
        if held[job] == "worker-1":
            assert status.worker == "worker-2"
            assert status.attempt > 1
    heal()
    a.run_all()


def test_restarted_coordinator_finds_out_what_is_running(a: Broken) -> None:
    job = a.client.submit(jobs.sleep(600_000))
    a.client.wait(job, RUNNING)

    a.inject("kill", "coordinator")()

    eventually(
        lambda: "taskqueue_slots_busy 1.0" in a.metrics("coordinator"),
        within=WITHIN,
        what="that the coordinator knows of the job",
    )
    a.client.cancel(job)
    assert a.client.wait(job, within=WITHIN).state == CANCELED
    a.run_all()


def test_worker_that_was_paused_too_long_comes_back_with_reports_that_are_refused(
    a: Broken,
) -> None:
    accepted = [a.client.submit(jobs.sleep(8_000)) for _ in range(SLOTS)]
    held = {job: a.client.wait(job, RUNNING).worker for job in accepted}
    theirs = [job for job, worker in held.items() if worker == "worker-1"]
    assert theirs

    heal = a.inject("pause_long", "worker-1")

    for job in theirs:
        status = a.client.wait(job, within=WITHIN)
        assert (status.state, status.worker) == (DONE, "worker-2")
        assert status.attempt > 1
    before = [a.client.status(job) for job in theirs]
    heal()
    eventually(lambda: "outcome refused" in a.log("worker-1"), what="a report that is refused")
    assert [a.client.status(job) for job in theirs] == before
    a.run_all()


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("cut", "worker-1:coordinator"),
        ("cut_requests", "worker-1:coordinator"),
        ("cut_answers", "worker-1:coordinator"),
        ("cut_answers", "coordinator:queue"),
        ("cut_answers", "coordinator:job"),
        ("cut_answers", "coordinator:result"),
    ],
)
def test_job_is_done_although_a_link_behind_the_gateway_was_cut(
    a: Broken, kind: str, way: str
) -> None:
    name = way.replace(":", ">")
    before = a.link(name).counts
    accepted = [a.client.submit(jobs.sleep(5)) for _ in range(SLOTS)]

    heal = a.inject(kind, way)

    accepted += [a.client.submit(jobs.sleep(5)) for _ in range(SLOTS)]

    def lost() -> int:
        now = a.link(name).counts
        requests = now.lost_requests - before.lost_requests
        return requests + now.lost_answers - before.lost_answers

    eventually(lost, what="a lost message")
    heal()
    assert {a.client.wait(job, within=WITHIN).state for job in accepted} == {DONE}


@pytest.mark.parametrize(
    ("kind", "way"), [("cut_requests", "gateway:queue"), ("cut_answers", "gateway:job")]
)
def test_submit_over_a_cut_link_is_answered_with_an_error_and_none_waits_for_ever(
    a: Broken, kind: str, way: str
) -> None:
    before = a.link(way.replace(":", ">")).counts
    heal = a.inject(kind, way)
    request = SubmitJobRequest(job=jobs.sleep(5))
    rejection = rejection_of(lambda: a.client.stub.SubmitJob(request, timeout=BRIEF))
    assert rejection.code == "DEADLINE_EXCEEDED"
    lost = a.link(way.replace(":", ">")).counts
    assert (lost.lost_requests, lost.lost_answers) > (before.lost_requests, before.lost_answers)
    heal()
    a.run_all()
    stuck = eventually(
        lambda: [each.job_id for each in a.client.all_jobs() if each.state == QUEUED],
        lambda waiting: not waiting,
        within=WITHIN,
        what="a queue without what was never accepted",
    )
    assert stuck == []


def test_repeated_calls_end_no_job_twice_and_lose_none(a: Broken) -> None:
    heal = a.inject("repeat", "all", part=0.5, within_ms=300)
    accepted = [a.client.submit(jobs.sleep(5)) for _ in range(SLOTS)]
    statuses = [a.client.wait(job, within=WITHIN) for job in accepted]
    assert {each.state for each in statuses} == {DONE}
    assert a.link("worker-1>coordinator").counts.repeated > 0
    heal()
    a.run_all(4)
    assert [a.client.status(job).attempt for job in accepted] == [each.attempt for each in statuses]


def test_isolated_coordinator_is_found_again_by_all(a: Broken) -> None:
    heal = a.inject("isolate", "coordinator")
    accepted = [a.client.submit(jobs.sleep(5)) for _ in range(SLOTS)]
    eventually(lambda: a.link("worker-2>coordinator").counts.lost_requests, what="a lost request")
    heal()
    assert {a.client.wait(job, within=WITHIN).state for job in accepted} == {DONE}


def test_cut_between_two_nodes_leaves_the_rest_of_both_at_work(b: Broken) -> None:
    first, second, third = (b.client.at[number] for number in range(3))
    job = second.submit(jobs.noop())
    second.wait(job)

    heal = b.inject("cut", "node-0:node-1")

    assert no_answer(first, job).code == "DEADLINE_EXCEEDED"
    assert second.status(job) == third.status(job)
    assert first.run(jobs.noop(), WITHIN).state == DONE
    heal()
    assert first.status(job) == second.status(job)
    b.run_all()


def test_nodes_do_their_own_jobs_while_messages_are_late_and_repeated(b: Broken) -> None:
    for kind, parameters in (("delay", {"random_ms": 200}), ("repeat", {"part": 1})):
        heal = b.inject(kind, "all", **parameters)
        b.run_all(12)
        heal()


def test_isolated_node_takes_jobs_and_does_them(b: Broken) -> None:
    heal = b.inject("isolate", "node-2")
    job = b.client.at[2].submit(jobs.sleep(5))
    assert b.client.at[2].wait(job).state == DONE
    heal()
    assert b.client.at[3].status(job).state == DONE


def test_node_that_was_paused_answers_for_its_jobs_again(b: Broken) -> None:
    job = b.client.at[4].submit(jobs.sleep(5))
    b.client.at[4].wait(job)
    heal = b.inject("pause_long", "node-4")
    # Not after its deadline, but once the silence of the node has lasted too long.
    rejection = rejection_of(lambda: b.client.at[0].status(job))
    assert (rejection.code, rejection.metadata["outcome"]) == ("UNAVAILABLE", "indefinite")
    heal()
    eventually(lambda: _answers(b, job), within=WITHIN, what="an answer of node-4")
    b.run_all()


def no_answer(calls: Calls, job: str) -> Rejection:
    """Ask for a job that cannot be reached; return the error, without waiting for it for long."""
    request = GetJobStatusRequest(job_id=job)
    return rejection_of(lambda: calls.stub.GetJobStatus(request, timeout=BRIEF))


def _answers(broken: Broken, job: str) -> bool:
    try:
        return broken.client.at[0].status(job).state == DONE
    except grpc.RpcError as error:
        if read_error(error).code not in NO_ANSWER:
            raise
        return False


@pytest.mark.needs("libfaketime")
@pytest.mark.parametrize(
    ("design", "target", "jump_s"),
    [("a", "coordinator", 3600), ("a", "queue", -3600), ("a", "job", 3600), ("b", "node-1", -3600)],
)
def test_jump_of_the_wall_clock_moves_nothing(
    request: pytest.FixtureRequest, design: str, target: str, jump_s: float
) -> None:
    broken: Broken = request.getfixturevalue(design)
    running = broken.client.submit(jobs.sleep(2_000))
    broken.client.wait(running, RUNNING)

    heal = broken.inject("clock", target, jump_s=jump_s)

    status = broken.client.wait(running, within=WITHIN)
    assert (status.state, status.attempt) == (DONE, 1)
    took = status.finish_time.ToMicroseconds() - status.create_time.ToMicroseconds()
    assert 2_000_000 <= took < 1_000_000 * abs(jump_s), "the times of a job are of one clock"
    broken.run_all(8)
    heal()
    broken.run_all(8)
