"""Graceful stops: health goes first, running work is finished or given back."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from common.rpc import connect
from tests.integration.conftest import StackMaker
from tests.support import jobs
from tests.support.client import DONE, RUNNING, rejection_of
from tests.support.stacks import Stack
from tests.support.waiting import eventually

# So long that a test which waits for it to run out fails.
PATIENT = {"heartbeat_interval": 0.5, "heartbeat_timeout": 120.0, "lease": 240.0}


class HealthWatch:
    """Listens to the health of a server until it goes away."""

    def __init__(self, address: str) -> None:
        self.seen: list[str] = []
        self._channel = connect.channel(address)
        stub = health_pb2_grpc.HealthStub(self._channel)
        self._call = stub.Watch(health_pb2.HealthCheckRequest(service=""))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        try:
            for answer in self._call:
                status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
                self.seen.append(status)
        except grpc.RpcError as error:
            self.seen.append(error.code().name)

    def close(self) -> None:
        """Stop listening."""
        self._call.cancel()
        self._thread.join()
        self._channel.close()


@pytest.fixture
def watch_health() -> Iterator[object]:
    """Makes listeners to the health of servers."""
    watches: list[HealthWatch] = []

    def watch(address: str) -> HealthWatch:
        watches.append(HealthWatch(address))
        return watches[-1]

    yield watch
    for each in watches:
        each.close()


@pytest.mark.slow
def test_a_stopping_worker_gives_its_work_back_at_once(start_stack: StackMaker) -> None:
    stack = start_stack("a", stop_grace=1.0, **PATIENT)
    client = stack.client()
    job_ids = [client.submit(jobs.sleep(8_000)) for _ in range(6)]
    stack.wait_until_held(6)

    stack.terminate("worker")
    assert stack.join("worker") == 0
    stack.start("worker")

    for job_id in job_ids:
        status = client.wait(job_id, within=60)
        assert (status.state, status.attempt) == (DONE, 2)


def test_a_stopping_worker_finishes_what_ends_within_its_grace(start_stack: StackMaker) -> None:
    stack = start_stack("a", stop_grace=20.0, **PATIENT)
    client = stack.client()
    running = [client.submit(jobs.sleep(6_000)) for _ in range(12)]
    stack.wait_until_held(12)
    behind = [client.submit(jobs.sleep(1)) for _ in range(6)]

    stack.terminate("worker")
    assert stack.join("worker") == 0

    for job_id in running:
        status = client.status(job_id)
        assert (status.state, status.attempt) == (DONE, 1)
    stack.start("worker")
    for job_id in behind:
        assert client.wait(job_id).state == DONE


@pytest.mark.parametrize(("design", "name"), [("a", "worker"), ("b", "node-1")])
def test_health_is_off_before_running_work_has_ended(
    start_stack: StackMaker, watch_health: type[HealthWatch], design: str, name: str
) -> None:
    stack = start_stack(design, stop_grace=20.0, log_level="DEBUG")
    client = stack.client(name) if design == "b" else stack.client()
    watch = watch_health(stack.address(name))
    eventually(lambda: watch.seen == ["SERVING"], what="the first health")
    job_id = client.submit(jobs.sleep(4_000))
    stack.wait_until_held(1, name)

    stack.terminate(name)

    eventually(lambda: len(watch.seen) > 1, what="a change of health")
    assert watch.seen[1] == "NOT_SERVING"
    assert not _ended(stack, name, job_id), "health came first"
    watch.close()
    assert stack.join(name) == 0
    assert _ended(stack, name, job_id), "the job was finished before the process ended"
    if design == "a":
        status = client.status(job_id)
        assert (status.state, status.attempt) == (DONE, 1)


def _ended(stack: Stack, name: str, job_id: str) -> bool:
    """Whether a process has logged that it ended the job as DONE."""
    return any(
        line.get("job_id") == job_id and line["message"] == "ended DONE" for line in stack.log(name)
    )


@pytest.mark.parametrize(("design", "name"), [("a", "worker"), ("a", "job"), ("b", "node-1")])
def test_an_open_health_watch_does_not_hold_up_a_stop(
    start_stack: StackMaker, watch_health: type[HealthWatch], design: str, name: str
) -> None:
    stack = start_stack(design, stop_grace=60.0)
    watch = watch_health(stack.address(name))
    eventually(lambda: watch.seen == ["SERVING"], what="the first health")

    stack.terminate(name)

    assert stack.join(name, within=20) == 0
    assert watch.seen[1] == "NOT_SERVING"


@pytest.mark.parametrize("design", ["a", "b"])
def test_every_process_stops_cleanly_when_asked(start_stack: StackMaker, design: str) -> None:
    stack = start_stack(design)
    client = stack.client()
    job_ids = [client.submit(job) for job in (jobs.sleep(1), jobs.spin(1), jobs.fail("no")) * 4]
    for job_id in job_ids:
        client.wait(job_id)
    client.close()

    for name in stack.names:
        stack.terminate(name)
    codes = {name: stack.join(name) for name in stack.names}

    assert set(codes.values()) == {0}, codes
    for name in stack.names:
        assert [line for line in stack.log(name) if line["level"] in ("ERROR", "CRITICAL")] == []


@pytest.mark.parametrize("design", ["a", "b"])
def test_a_stack_stops_in_bounded_time_while_jobs_run(start_stack: StackMaker, design: str) -> None:
    stack = start_stack(design, stop_grace=1.0)
    client = stack.client()
    for job in (jobs.sleep(600_000), jobs.spin(600_000)) * 3:
        client.wait(client.submit(job), RUNNING)
    parents = [stack.process(name) for name in stack.names]
    children = eventually(
        lambda: [child for parent in parents for child in parent.children(recursive=True)],
        what="the processes of work that burns CPU",
    )

    for name in stack.names:
        stack.terminate(name)
    codes = {name: stack.join(name, within=30) for name in stack.names}

    assert set(codes.values()) == {0}, codes
    eventually(
        lambda: not any(child.is_running() and child.status() != "zombie" for child in children),
        what="the end of the processes that burn CPU",
    )


def test_a_stopping_coordinator_hands_out_nothing_more(start_stack: StackMaker) -> None:
    # The worker's fetches wait for minutes, and so would a coordinator that did not end them.
    stack = start_stack("a", stop_grace=60.0, long_poll=120.0)
    client = stack.client()
    client.wait(client.submit(jobs.noop()))

    stack.terminate("coordinator")
    assert stack.join("coordinator", within=20) == 0
    job_id = client.submit(jobs.noop())
    stack.start("coordinator")

    status = client.wait(job_id, within=60)
    assert (status.state, status.attempt) == (DONE, 1)


def test_a_stopping_node_takes_no_job_that_it_could_not_run(
    start_stack: StackMaker, watch_health: type[HealthWatch]
) -> None:
    stack = start_stack("b", stop_grace=20.0)
    client = stack.client("node-1")
    running = client.submit(jobs.sleep(3_000))
    client.wait(running, RUNNING)
    watch = watch_health(stack.address("node-1"))
    eventually(lambda: watch.seen == ["SERVING"], what="the first health")

    stack.terminate("node-1")
    eventually(lambda: len(watch.seen) > 1, what="a change of health")

    rejection = rejection_of(lambda: client.submit(jobs.noop()))
    assert (rejection.code, rejection.reason) == ("UNAVAILABLE", "STOPPING")
    assert client.status(running).state == RUNNING
    assert stack.join("node-1") == 0
